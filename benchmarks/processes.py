"""Processes under measurement: started for real, watched through /proc, surely gone at the end."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from controller.api.client import Client
from jetfleet.address import socket_address
from jetfleet.errors import JetfleetError

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CONTROLLER = str(Path(sys.executable).with_name("controller"))


class BrokenRun(Exception):
    """The program could not measure what it was to measure."""


class Process:
    """A child with its log in a file."""

    def __init__(self, arguments: list[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as sink:
            self._popen = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env={**os.environ, **(env or {})}
            )
        self.pid = self._popen.pid

    def cpu_s(self) -> float:
        """Processor time used so far, by all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def rss_mb(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6

    def check(self) -> None:
        """Raises BrokenRun if it has ended."""
        if self._popen.poll() is not None:
            raise BrokenRun(f"a process ended with code {self._popen.returncode}:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self._popen.terminate()
        try:
            self._popen.wait(20)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk where people's state folders are: what is fsynced there is fsynced."""
    with tempfile.TemporaryDirectory(prefix="jetfleet-bench-", dir=os.environ.get("JETFLEET_BENCH_DIR")) as folder:
        yield Path(folder)


class ControllerProcess(Process):
    """A real `controller serve`, at its state folder's socket."""

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        arguments = [CONTROLLER, "--state", str(state_dir), "serve", "--listen", "127.0.0.1:0"]
        super().__init__(arguments, log=state_dir / "serve.log")
        self.state_dir = state_dir
        self.address = socket_address(state_dir)
        wait_for(self._answers, what="the controller to answer")

    def client(self) -> Client:
        return Client(self.address)

    @property
    def tcp_address(self) -> str:
        return (self.state_dir / "controller.address").read_text().strip()

    def _answers(self) -> bool:
        self.check()
        try:
            with Client(self.address) as client:
                client.hello()
        except JetfleetError:
            return False
        return True


@contextlib.contextmanager
def controller(folder: Path) -> Iterator[ControllerProcess]:
    process = ControllerProcess(folder / "state")
    try:
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def agent(controller: ControllerProcess, folder: Path) -> Iterator[Process]:
    """A real agent of this machine, registered."""
    folder.mkdir()
    arguments = [sys.executable, "-m", "agent.cli", "run", "--address", controller.address]
    process = Process([*arguments, "--state", str(folder / "agent"), "--name", "bench"], log=folder / "agent.log")
    try:
        with controller.client() as client:
            wait_for(lambda: any(device.online for device in client.devices()), what="the agent to register")
        yield process
    finally:
        process.stop()


def wait_for(look: Callable[[], bool], *, what: str, timeout_s: float = 60.0) -> None:
    """Polls until `look` is true. Raises BrokenRun after the time."""
    deadline = time.monotonic() + timeout_s
    while not look():
        if time.monotonic() > deadline:
            raise BrokenRun(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(0.02)
