"""Starting, watching and ending the one process that an attempt runs in, and everything that process left behind."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.child_env import child_env
from jetfleet.interpreter import PYTHON
from jetfleet.v1.task_pb2 import Progress

_log = logging.getLogger(__name__)

HEAD_BYTES = 256 << 10
TAIL_BYTES = 768 << 10
_PIPE_BYTES = 1 << 20  # fewer wake-ups under a flood of log
_DEATH_S = 10.0  # from a SIGKILL until the process is gone, on a machine that has much else to do
_DRAIN_S = 2.0  # after everybody was killed: for what is still in the pipe
_COOKIE = "JETFLEET_ATTEMPT_COOKIE"
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class ChildExit:
    """How the process ended. `signal` is a name, SIGSEGV; `ru_maxrss_bytes` is the kernel's account."""

    exit_code: int | None
    signal: str | None
    ru_maxrss_bytes: int


class LogFile:
    """A log bounded at both ends: the first bytes as they come, the last ones from memory when it is closed."""

    def __init__(self, path: Path, *, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._path = path
        self._room = head_bytes
        self._tail: deque[bytes] = deque()
        self._tail_bytes, self._kept, self._dropped = tail_bytes, 0, 0
        self._file = path.open("wb")

    def write(self, block: bytes) -> None:
        if self._file.closed:  # a reader that outlived its deadline
            return
        if self._room:
            with contextlib.suppress(OSError):  # a full disk costs the log, and must not stop whoever reads the pipe
                self._file.write(block[: self._room])
                self._file.flush()
            block, self._room = block[self._room :], max(0, self._room - len(block))
        self._tail.append(block)
        self._kept += len(block)
        while self._kept - len(self._tail[0]) >= self._tail_bytes:
            gone = len(self._tail.popleft())
            self._kept -= gone
            self._dropped += gone

    def close(self) -> None:
        tail = b"".join(self._tail)
        surplus = max(0, len(tail) - self._tail_bytes)
        if dropped := self._dropped + surplus:
            tail, surplus = f"\n[... {dropped} bytes of log left out here ...]\n".encode() + tail[surplus:], 0
        with contextlib.suppress(OSError):
            self._file.write(tail[surplus:])
            self._file.close()

    def last_lines(self, count: int) -> str:
        """The end of the log in one line, for a message."""
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - 4096))
            text = file.read().decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(line[:200] for line in lines[-count:])


class ChildProcess:
    """A process in a session of its own. Start it from a thread that lives as long as the agent.

    The kernel's parent-death signal follows the thread that started the child, so a pool's thread will not do.
    """

    def __init__(
        self,
        attempt: Path,
        *,
        env: Mapping[str, str],
        on_progress: Callable[[Progress], None],
        told: Mapping[str, str] = _NOTHING,
    ) -> None:
        """`told` is what the child is to know beside its task, in variables of its environment."""
        self._loop = asyncio.get_running_loop()
        self._on_progress = on_progress
        self._cookie = uuid.uuid4().hex
        self.phase = self.detail = ""
        self.phase_began = time.monotonic()
        progress_read, progress_write = os.pipe()
        log_read, log_write = os.pipe()
        with contextlib.suppress(OSError):  # a user's pipe quota is used up: the default size works too
            fcntl.fcntl(log_read, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "agent.work", str(attempt)],
                stdin=subprocess.DEVNULL,
                stdout=log_write,
                stderr=log_write,
                cwd=attempt,
                env={
                    **child_env(env),
                    **told,
                    _COOKIE: self._cookie,
                    "JETFLEET_PARENT_PID": str(os.getpid()),
                    "JETFLEET_PROGRESS_FD": str(progress_write),
                    "PYTHONUNBUFFERED": "1",
                },
                pass_fds=(progress_write,),
                start_new_session=True,
            )
        finally:
            os.close(progress_write)
            os.close(log_write)
        self.pid = self._process.pid
        self._sources = (log_read, progress_read)
        self._exited: asyncio.Future[ChildExit] = self._loop.create_future()
        self._readers: list[threading.Thread] = []

    def watch(self, log: LogFile) -> "asyncio.Future[ChildExit]":
        """Begins to read what the child writes; the future is done when it has ended."""
        log_read, progress_read = self._sources
        self._readers = [
            threading.Thread(target=_pump, args=(log_read, log.write), daemon=True),
            threading.Thread(target=_pump, args=(progress_read, self._progress_bytes()), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        threading.Thread(target=self._reap, daemon=True).start()
        return self._exited

    def signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def clean_up(self) -> None:
        """Kills whatever the child left, in its group or out of it, and reads the last of its log."""
        self.signal_group(signal.SIGKILL)
        # On a busy machine a killed process takes a while to be gone; what it holds is free only then.
        await asyncio.wait({self._exited}, timeout=_DEATH_S)
        await asyncio.to_thread(_kill_survivors, f"{_COOKIE}={self._cookie}".encode())
        for reader in self._readers:
            await asyncio.to_thread(reader.join, _DRAIN_S)

    def _reap(self) -> None:
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code  # reaped here, so that Popen does not look for it again
        child_exit = ChildExit(code if code >= 0 else None, _signal_name(-code), usage.ru_maxrss * 1024)
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._set_exited, child_exit)

    def _set_exited(self, child_exit: ChildExit) -> None:
        if not self._exited.done():
            self._exited.set_result(child_exit)

    def _progress_bytes(self) -> Callable[[bytes], None]:
        rest = b""

        def take(block: bytes) -> None:
            nonlocal rest
            *lines, rest = (rest + block[-_PIPE_BYTES:]).split(b"\n")
            for line in lines:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._take_progress, line)

        return take

    def _take_progress(self, line: bytes) -> None:
        try:
            fields = json.loads(line)
            progress = Progress(phase=fields["phase"], fraction=fields["fraction"], detail=fields["detail"])
        except (ValueError, KeyError, TypeError):
            _log.warning("child %d wrote a line that is not a valid progress report: %.80r", self.pid, line)
            return
        if progress.phase != self.phase:
            self.phase_began = time.monotonic()
        self.phase, self.detail = progress.phase, progress.detail
        self._on_progress(progress)


def _signal_name(number: int) -> str | None:
    if number <= 0:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal between the named ones
        return f"signal {number}"


def _pump(descriptor: int, take: Callable[[bytes], None]) -> None:
    with open(descriptor, "rb", buffering=0) as source:
        while block := source.read(_PIPE_BYTES):
            take(block)


def _kill_survivors(mark: bytes) -> None:
    """Kills processes that carry the attempt's mark in their environment: those that left the child's group."""
    killed: set[int] = set()
    deadline = time.monotonic() + _DEATH_S
    while time.monotonic() < deadline:  # again, in case one of them was starting another
        marked = {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_marked(pid, mark)}
        if not marked:
            return
        for pid in marked - killed:
            _log.warning("killing process %d, left behind by an attempt", pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= marked
        time.sleep(0.05)


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
