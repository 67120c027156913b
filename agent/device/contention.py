"""Did others take the CPU from a measurement? The scheduler knows: it counts how long each thread stood ready to run.

From /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst): nanoseconds on the CPU, nanoseconds waiting
on a run queue, timeslices. Unlike the load of the machine it is right on a big one with many idle CPUs, in a container,
and for a single thread. It does not see memory bandwidth that others take.
"""

import time
from pathlib import Path

from jetfleet.v1.task_pb2 import FLAG_KIND_INTERFERED, Flag

# Kernel threads and interrupts alone make a few tenths of a per cent on an idle machine.
LIMIT = 0.03


class Contention:
    """Watches this process's threads from when it is made."""

    def __init__(self, tasks: Path = Path("/proc/self/task")) -> None:
        self._tasks = tasks
        self._begin = time.monotonic()
        self._waited = self._read()

    def share(self) -> float | None:
        """The largest share of the time so far that a thread waited for a CPU; None if the kernel does not tell."""
        elapsed_ns = (time.monotonic() - self._begin) * 1e9
        shares = [
            (waited_ns - self._waited[thread]) / elapsed_ns
            for thread, waited_ns in self._read().items()
            if thread in self._waited
        ]
        return max(shares, default=None)

    def _read(self) -> dict[str, int]:
        found = {}
        for path in self._tasks.glob("*/schedstat"):
            try:
                found[path.parent.name] = int(path.read_text().split()[1])
            except (OSError, IndexError, ValueError):  # a thread that ended, or a kernel without the counters
                continue
        return found


def interference(share: float | None) -> list[Flag]:
    """What a share of waiting means for a measurement; an unknown one yields no flag."""
    if share is None or share <= LIMIT:
        return []
    evidence = f"a thread waited for a CPU {share:.1%} of the time (limit {LIMIT:.0%}): other processes were running"
    return [Flag(kind=FLAG_KIND_INTERFERED, evidence=evidence)]
