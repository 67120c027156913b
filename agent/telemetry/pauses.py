"""Did this process stand still while it measured? Stopped by a signal, frozen, asleep with its machine, or starved.

Three witnesses, none inside the timed loop. A signal that continues the process (SIGCONT) is proof of a stop, however
short. The boot clock counts while a machine sleeps, the steady clock does not. And a thread that only sleeps wakes up
late when nothing of the process ran: that sees frozen containers, halted virtual machines and swapping, and never a
slow inference, because runtimes give Python's lock back while they infer.

That thread may be late for two other reasons, and the kernel tells both apart from a stop: it waited for a CPU that
others had (its time on the run queue, /proc/thread-self/schedstat), or for Python's lock (it then looks every few
milliseconds whether it is free, and each look is a voluntary switch). What neither explains, nobody ran in.
"""

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

PERIOD_S = 0.05
LATE_S = 0.5  # a sleeper so late did not run: on a crowded machine it waits for some hundredths of a second
UNEXPLAINED_S = 0.1
_ASLEEP_S = 0.1


class ThreadAccount(NamedTuple):
    """What the kernel has counted of one thread."""

    waited_for_cpu_s: float
    switches: int  # voluntary ones


class KernelAccounts:
    """Of the thread that asks; None where the kernel does not count."""

    def __init__(self) -> None:
        try:
            self._handle: int | None = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._handle = None

    def read(self) -> ThreadAccount | None:
        if self._handle is None:
            return None
        waited_ns = int(os.pread(self._handle, 100, 0).split()[1])
        return ThreadAccount(waited_ns / 1e9, resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class PauseWatch:
    """Watches from `start` to `stop`. `pulse` is False where time is made up and only a stop by signal counts."""

    def __init__(
        self,
        *,
        pulse: bool = True,
        boot_clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        steady_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._boot_clock, self._steady_clock = boot_clock, steady_clock
        self._has_pulse = pulse
        self._watching, self._done = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._continued = 0
        self._late_s: list[float] = []
        self._unexplained_s: list[float] = []
        self._beat = self._began_boot = self._began_steady = 0.0
        self._account: ThreadAccount | None = None
        self._handler: Any = None

    def start(self) -> None:
        self._began_boot, self._began_steady = self._boot_clock(), self._steady_clock()
        self._beat = self._began_boot
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGCONT, self._note_signal)
        if self._has_pulse:
            self._thread = threading.Thread(target=self._pulse, name="pauses", daemon=True)
            self._thread.start()
            self._watching.wait()  # what stops the process from here on is seen

    def stop(self) -> list[str]:
        """What was seen, each as a piece of evidence; empty if the process was never held up."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        if self._handler is not None:
            signal.signal(signal.SIGCONT, self._handler)
        return self._evidence()

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._continued += 1

    def _pulse(self) -> None:
        accounts = KernelAccounts()
        try:
            self._account, self._beat = accounts.read(), self._boot_clock()  # a thread begins late, too
            self._watching.set()
            while not self._done.wait(PERIOD_S):
                self.beat(accounts.read())
            self.beat(accounts.read())
        finally:
            accounts.close()

    def beat(self, account: ThreadAccount | None = None) -> None:
        """One wake-up of the sleeper: notes by how much it is too late, and how much of that nothing explains."""
        before, self._beat = self._beat, self._boot_clock()
        known, self._account = self._account, account
        late_s = self._beat - before - PERIOD_S
        if late_s > LATE_S:
            self._late_s.append(late_s)
        elif known is not None and account is not None and late_s > UNEXPLAINED_S:
            waited_s = account.waited_for_cpu_s - known.waited_for_cpu_s
            looked_s = (account.switches - known.switches) * sys.getswitchinterval()
            if late_s - waited_s - looked_s > UNEXPLAINED_S:
                self._unexplained_s.append(late_s - waited_s - looked_s)

    def _evidence(self) -> list[str]:
        found = []
        if self._continued:
            found.append(f"stopped and continued by a signal{_times(self._continued)}")
        asleep_s = (self._boot_clock() - self._began_boot) - (self._steady_clock() - self._began_steady)
        if asleep_s > _ASLEEP_S:
            found.append(f"the machine was asleep for {asleep_s:.2f} s")
        if self._late_s:
            found.append(f"the process did not run for {max(self._late_s):.2f} s{_times(len(self._late_s))}")
        elif self._unexplained_s and not self._continued:
            longest_s, times = max(self._unexplained_s), _times(len(self._unexplained_s))
            found.append(
                f"the process stood still for {longest_s:.2f} s{times}, and waited neither for a CPU nor for itself"
            )
        return found


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""
