"""Channels that any Linux may have: how busy its CPUs are, what a hypervisor took, who stalled, and RAPL's energy."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.device.files import entries, number_of, text_of
from agent.telemetry.channels.channel import (
    SLOWLY_S,
    UNREADABLE,
    Absent,
    Channel,
    Sensor,
    TextFile,
    file_sensors,
    reason_of,
)

_POWERCAP = "sys/class/powercap"
_STALLED = ("cpu", "memory", "io")
# proc(5): user nice system idle iowait irq softirq steal; guest time is in user's already.
_IDLE, _IOWAIT, _STEAL, _FIELDS = 3, 4, 7, 8
_UTIME = 11  # of a process, counted after its name; stime follows


class CpuTimes:
    """Seconds that all CPUs together were busy, that a hypervisor gave to others, and that the measuring process used.

    In a container the first two are the host's.
    """

    def __init__(self, root: Path, *, process: int) -> None:
        machine, own = root / "proc/stat", root / f"proc/{process}/stat"
        self._files = [TextFile(machine), TextFile(own)]
        self._ticks_per_s = os.sysconf("SC_CLK_TCK")
        self.channels = (
            Channel("cpu.busy", "s", str(machine), counts=True),
            Channel("cpu.steal", "s", str(machine), counts=True),
            Channel("cpu.own", "s", str(own), counts=True),
        )

    def read(self) -> Sequence[float]:
        machine, own = (file.read() for file in self._files)
        try:
            ticks = [int(word) for word in machine.split(None, _FIELDS + 1)[1 : _FIELDS + 1]]
            busy = sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT] - ticks[_STEAL]
            used = sum(map(int, own.rpartition(b")")[2].split()[_UTIME : _UTIME + 2]))  # the name may hold anything
            return [value / self._ticks_per_s for value in (busy, ticks[_STEAL], used)]
        except (ValueError, IndexError):
            return [UNREADABLE] * len(self.channels)

    def close(self) -> None:
        for file in self._files:
            file.close()


class Pressure:
    """Seconds in which some task of the machine stood still for want of a resource, and in which all of them did."""

    def __init__(self, folder: Path, resource: str) -> None:
        self._file = TextFile(folder / resource)
        if not self._file.read():  # the kernel was booted without: opening works, reading does not
            self._file.close()
            raise OSError(95, "the kernel does not account pressure (psi=0)", str(folder / resource))
        self.channels = (Channel(f"stalled.{resource}", "s", str(folder / resource), counts=True),)

    def read(self) -> Sequence[float]:
        words = self._file.read().split(b"\n", 1)[0].split(b"total=")
        try:
            return [int(words[1]) / 1e6]
        except (ValueError, IndexError):
            return [UNREADABLE]

    def close(self) -> None:
        self._file.close()


def cpu_times(root: Path) -> Iterator[Sensor | Absent]:
    try:
        yield CpuTimes(root, process=os.getppid())
    except OSError as error:
        yield Absent("CPU times", reason_of(error))


def pressure(root: Path) -> Iterator[Sensor | Absent]:
    for resource in _STALLED:
        try:
            yield Pressure(root / "proc/pressure", resource)
        except OSError as error:
            yield Absent(f"stalled.{resource}", reason_of(error))


def rapl(root: Path) -> Iterator[Sensor | Absent]:
    """The energy of each CPU package (Intel's and AMD's; AMD's appear under Intel's name). Mostly for root alone."""
    packages = [folder for folder in entries(root / _POWERCAP, "intel-rapl:*") if _is_package(folder)]
    if not packages:
        yield Absent("RAPL", f"no intel-rapl below /{_POWERCAP}: no x86 CPU, or a virtual machine")
    yield from file_sensors(
        (
            Channel(
                f"energy.{text_of(folder / 'name')}",
                "J",
                str(folder / "energy_uj"),
                counts=True,
                covers="the CPU's package, by RAPL",
                wraps_at=(number_of(folder / "max_energy_range_uj") or 0) / 1e6,
            ),
            1e-6,
        )
        for folder in packages
    )


def _is_package(folder: Path) -> bool:
    return (text_of(folder / "name") or "").startswith("package")


def memory(root: Path) -> Iterator[Sensor | Absent]:
    try:
        yield AvailableMemory(root / "proc/meminfo")
    except OSError as error:
        yield Absent("memory", reason_of(error))


class AvailableMemory:
    """MemAvailable of /proc/meminfo."""

    def __init__(self, path: Path) -> None:
        self._file = TextFile(path)
        self.channels = (Channel("memory.available", "MiB", str(path), SLOWLY_S),)

    def read(self) -> Sequence[float]:
        _, found, rest = self._file.read().partition(b"MemAvailable:")
        return [int(rest.split(None, 1)[0]) / 1024] if found else [UNREADABLE]

    def close(self) -> None:
        self._file.close()
