"""Did this process stand still while it measured? Stopped by a signal, frozen, asleep with its machine, or starved.

Three witnesses, none inside the timed loop. A signal that continues the process (SIGCONT) is proof of a stop, however
short. The boot clock counts while a machine sleeps, the steady clock does not. And a thread that only sleeps wakes up
late when nothing of the process ran: that sees frozen containers, halted virtual machines and swapping, and never a
slow inference, because runtimes give Python's lock back while they infer.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

PERIOD_S = 0.2
LATE_S = 0.5  # a sleeper so late did not run: on a crowded machine it waits for some hundredths of a second
_ASLEEP_S = 0.1


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
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._continued = 0
        self._late_s: list[float] = []
        self._beat = self._began_boot = self._began_steady = 0.0
        self._handler: Any = None

    def start(self) -> None:
        self._began_boot, self._began_steady = self._boot_clock(), self._steady_clock()
        self._beat = self._began_boot
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGCONT, self._note_signal)
        if self._has_pulse:
            self._thread = threading.Thread(target=self._pulse, name="pauses", daemon=True)
            self._thread.start()

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
        while not self._done.wait(PERIOD_S):
            self.beat()
        self.beat()

    def beat(self) -> None:
        """One wake-up of the sleeper: notes by how much it is too late."""
        before, self._beat = self._beat, self._boot_clock()
        late_s = self._beat - before - PERIOD_S
        if late_s > LATE_S:
            self._late_s.append(late_s)

    def _evidence(self) -> list[str]:
        found = []
        if self._continued:
            found.append(f"stopped and continued by a signal{_times(self._continued)}")
        asleep_s = (self._boot_clock() - self._began_boot) - (self._steady_clock() - self._began_steady)
        if asleep_s > _ASLEEP_S:
            found.append(f"the machine was asleep for {asleep_s:.2f} s")
        if self._late_s:
            found.append(f"the process did not run for {max(self._late_s):.2f} s{_times(len(self._late_s))}")
        return found


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""
