"""How many CPUs this process may use: of those it may run on, as many as its control groups give it time for."""

import os
from collections.abc import Iterator
from pathlib import Path

from agent.device.files import text_of


def usable_cpus(root: Path) -> int:
    """Whole CPUs, at least one: a thread beyond the quota would be stopped for part of every period."""
    allowed = len(os.sched_getaffinity(0))
    quota = min(_quotas(root), default=float(allowed))
    return max(1, min(allowed, int(quota)))


def _quotas(root: Path) -> Iterator[float]:
    """CPUs' worth of time that this process's groups and all groups above them may use; groups without a limit none."""
    for line in (text_of(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            yield from _quotas_of_v2(root / "sys/fs/cgroup", path)
        elif "cpu" in controllers.split(","):
            yield from _quotas_of_v1(root / "sys/fs/cgroup" / controllers, path)
            yield from _quotas_of_v1(root / "sys/fs/cgroup/cpu", path)


def _quotas_of_v2(mount: Path, group: str) -> Iterator[float]:
    for folder in _upwards(mount, group):
        yield from _share(text_of(folder / "cpu.max"))


def _quotas_of_v1(mount: Path, group: str) -> Iterator[float]:
    for folder in _upwards(mount, group):
        quota, period = text_of(folder / "cpu.cfs_quota_us"), text_of(folder / "cpu.cfs_period_us")
        yield from _share(f"{quota} {period}")


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """A group's folder and those above it. In a container the path may be the host's: then only the top exists."""
    folder = mount / path.lstrip("/")
    yield folder
    while folder != mount and mount in folder.parents:
        folder = folder.parent
        yield folder


def _share(limit: str | None) -> Iterator[float]:
    """From `QUOTA PERIOD` in microseconds; `max` (v2) and -1 (v1) mean no limit."""
    numbers = (limit or "").split()
    if len(numbers) == 2 and all(number.isdigit() for number in numbers) and int(numbers[1]):
        yield int(numbers[0]) / int(numbers[1])
