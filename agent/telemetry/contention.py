"""Did others take the CPU from a measurement? The scheduler knows: it counts how long each thread stood ready to run.

From /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst): nanoseconds on the CPU, nanoseconds waiting
on a run queue, timeslices. Unlike the load of the machine it is right on a big one with many idle CPUs, in a container,
and for a single thread. It does not see memory bandwidth that others take.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from jetfleet.v1.task_pb2 import FLAG_KIND_INTERFERED, Flag

# Kernel threads and interrupts alone make a few tenths of a per cent on an idle machine.
LIMIT = 0.03
# Own threads on average, over CPUs: above this they wait for one another, whoever else is there.
_CROWDED = 1.05


@dataclass(frozen=True)
class Waiting:
    """What a process's threads had of their CPUs. `share` is the largest share of the time that one waited for a CPU;
    `runnable` is how many of them ran or waited, on average."""

    share: float
    runnable: float
    cpus: int

    @property
    def is_own(self) -> bool:
        """Whether there are more own threads than CPUs: then nobody knows who was waited for."""
        return self.runnable > self.cpus * _CROWDED

    def __str__(self) -> str:
        share = f"{self.share:.2%}"
        if not self.is_own:
            return share
        return f"{share}, also for one another: {self.runnable:.1f} threads, {self.cpus} CPUs"


class Contention:
    """Watches this process's threads from when it is made; one that begins later is not among them."""

    def __init__(self, tasks: Path = Path("/proc/self/task"), *, cpus: int | None = None) -> None:
        self._tasks = tasks
        self._cpus = cpus or len(os.sched_getaffinity(0))
        self._begin = time.monotonic()
        self._before = self._read()

    def waiting(self) -> Waiting | None:
        """Since it was made; None if the kernel does not count."""
        elapsed_ns = (time.monotonic() - self._begin) * 1e9
        ran, waited = [], []
        for thread, (ran_ns, waited_ns) in self._read().items():
            if thread in self._before:
                ran.append((ran_ns - self._before[thread][0]) / elapsed_ns)
                waited.append((waited_ns - self._before[thread][1]) / elapsed_ns)
        return Waiting(max(waited), sum(ran) + sum(waited), self._cpus) if waited else None

    def _read(self) -> dict[str, tuple[int, int]]:
        found = {}
        for path in self._tasks.glob("*/schedstat"):
            try:
                ran_ns, waited_ns = path.read_text().split()[:2]
                found[path.parent.name] = int(ran_ns), int(waited_ns)
            except (OSError, ValueError):  # a thread that ended, or a kernel without the counters
                continue
        return found


def interference(waiting: Waiting | None) -> list[Flag]:
    """What waiting means for a measurement; an unknown one yields no flag, nor does one that may be its own doing."""
    if waiting is None or waiting.share <= LIMIT or waiting.is_own:
        return []
    seen = f"a thread waited for a CPU {waiting.share:.1%} of the time (limit {LIMIT:.0%})"
    return [Flag(kind=FLAG_KIND_INTERFERED, evidence=f"{seen}: other processes were running")]
