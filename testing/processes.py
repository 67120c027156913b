"""Real processes for tests and benchmarks: controllers and agents, watched through /proc, surely gone at the end.

Nothing is mocked. Only hardware is simulated, by the product's own `simulated` runtime and constructed facts.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from controller.api.client import Client
from controller.service.options import CERTIFICATE_S
from jetfleet.address import is_socket, socket_address
from jetfleet.errors import JetfleetError

T = TypeVar("T")

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_SERVE = """
import logging, sys
from pathlib import Path
from controller.service.options import ServeOptions
from controller.service.server import serve
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
port = "127.0.0.1:0" if sys.argv[4] else None
times = {"lease_s": float(sys.argv[2]), "renew_s": float(sys.argv[3]), "certificate_s": float(sys.argv[5])}
serve(ServeOptions(Path(sys.argv[1]), listen=port, agents=port, metrics=port, **times))
"""


class BrokenRun(Exception):
    """What was to happen did not."""


def wait_for(look: Callable[[], T | None], *, what: str, timeout_s: float = 60.0) -> T:
    """Polls until `look` finds something. Raises BrokenRun with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise BrokenRun(f"waited {timeout_s:.0f} s in vain for {what}")


@dataclass
class Process:
    """A child with its log in a file. Whoever starts it sees to it that `kill` or `stop` is called."""

    arguments: list[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    popen: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            self.popen = subprocess.Popen(
                [*self.prefix, sys.executable, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
            )

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 30.0) -> int:
        assert self.popen is not None
        return self.popen.wait(timeout_s)

    def kill(self) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()

    def stop(self) -> None:
        """As an operator would; killed where that does not help."""
        if self.popen is None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def check(self) -> None:
        """Raises BrokenRun if it has ended."""
        assert self.popen is not None
        if self.popen.poll() is not None:
            raise BrokenRun(f"a process ended with code {self.popen.returncode}:\n{self.text()[-2000:]}")

    def cpu_s(self) -> float:
        """Processor time used so far, by all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def rss_mb(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6

    def children(self) -> list[int]:
        """Pids of the direct children, from /proc."""
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _parent(path) == self.pid]

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def _parent(proc: Path) -> int | None:
    try:
        return int((proc / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return None


class ControllerProcess(Process):
    """A controller at its state folder's socket, with short renewals; with `tls` also on two free ports.

    Without `lease_s` it is `controller serve` as people run it.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        lease_s: float | None = 30.0,
        renew_s: float = 0.5,
        tls: bool = False,
        certificate_s: float = CERTIFICATE_S,
    ) -> None:
        if lease_s is None:
            arguments = ["-m", "controller.cli.main", "--state", str(state_dir), "serve"]
            arguments += ["--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0"]
        else:
            times = [str(lease_s), str(renew_s)]
            arguments = ["-c", _SERVE, str(state_dir), *times, "tls" if tls else "", str(certificate_s)]
        super().__init__(arguments, state_dir / "test-controller.log")
        self.state_dir = state_dir

    @property
    def address(self) -> str:
        return socket_address(self.state_dir)

    @property
    def people_address(self) -> str:
        """HOST:PORT for tokens, and for boards that enrol."""
        return (self.state_dir / "controller.address").read_text().strip()

    @property
    def agents_address(self) -> str:
        """HOST:PORT for boards that enrolled."""
        return (self.state_dir / "controller.agents").read_text().strip()

    @property
    def metrics_address(self) -> str:
        """HOST:PORT of /metrics and /healthz."""
        return (self.state_dir / "controller.metrics").read_text().strip()

    def client(self) -> Client:
        return Client(self.address)

    def ready(self) -> "ControllerProcess":
        self.start()
        wait_for(self._answers, what=f"the controller to answer; {self.log}")
        return self

    def _answers(self) -> bool:
        self.check()
        try:
            with self.client() as client:
                client.hello()
        except JetfleetError:
            return False
        return True


class AgentProcess(Process):
    """An agent of this host, or with `facts` one of a constructed, simulated board."""

    def __init__(
        self,
        state_dir: Path,
        address: str,
        *,
        name: str,
        facts: Mapping[str, object] | None = None,
        prefix: tuple[str, ...] = (),
        extra: tuple[str, ...] = (),
    ) -> None:
        arguments = ["-m", "agent.cli", "run", "--address", address, "--state", str(state_dir), "--name", name]
        arguments += [] if is_socket(address) else ["--as-root"]  # whoever runs the tests
        if facts is not None:
            path = state_dir.parent / f"{name}.facts.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(facts))
            arguments += ["--facts", str(path)]
        super().__init__([*arguments, *extra], state_dir.parent / f"{name}.log", prefix=prefix)
        self.state_dir = state_dir


def wait_online(client: Client, *names: str) -> None:
    wait_for(
        lambda: {device.name for device in client.devices() if device.online} >= set(names),
        what=f"{names} to be online",
    )
