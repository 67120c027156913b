"""At which clocks was it measured, and did somebody set them anew meanwhile? Read before and after the rounds.

Nothing here needs root; what cannot be read is unknown, and says so. Where the clocks stood meanwhile is sampled, and
judged in `agent.telemetry.disturbances`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.device.clocks import Clock, emc_cap_hz, gpu_folder, read_cpu_policies, read_emc_clock, read_gpu_clock
from agent.device.nvml_gpu import GpuState, NvmlGpu
from jetfleet.circumstances import CPU_CLOCKS, EMC_CLOCKS, GPU_CLOCKS, LOCKED, UNKNOWN
from jetfleet.v1.task_pb2 import FLAG_KIND_CLOCK_DRIFT, Flag


@dataclass(frozen=True)
class ClockReading:
    """One look at everything. `slowed` are NVML's reasons."""

    gpu: Clock | None = None
    cpus: tuple[Clock, ...] = ()
    emc: Clock | None = None
    slowed: frozenset[str] = frozenset()
    emc_cap_hz: int | None = None
    has_emc: bool = False  # a Jetson, whose memory has a clock of its own


class ClockSensors:
    """Where a machine's clocks are read: below `root`, and of a discrete GPU from NVML, by its PCI address."""

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        pci_address: str = "",
        open_nvml: Callable[[str], NvmlGpu | None] = NvmlGpu.open,
    ) -> None:
        self._root = root
        self._is_jetson = gpu_folder(root) is not None
        self._nvml = open_nvml(pci_address) if pci_address and not self._is_jetson else None

    def read(self) -> ClockReading:
        root = self._root
        state: GpuState | None = self._nvml.read() if self._nvml else None
        return ClockReading(
            gpu=read_gpu_clock(root) or (state.clock if state else None),
            cpus=tuple(read_cpu_policies(root)),
            emc=read_emc_clock(root),
            slowed=state.slowed if state else frozenset(),
            emc_cap_hz=emc_cap_hz(root),
            has_emc=self._is_jetson,
        )

    def close(self) -> None:
        if self._nvml is not None:
            self._nvml.close()


def clock_circumstances(reading: ClockReading, *, on_gpu: bool) -> dict[str, str]:
    """As they were at the end. A machine without a GPU or a Jetson's memory clock does not speak of them."""
    found = {CPU_CLOCKS: _clocks_in_words(reading.cpus)}
    if on_gpu or reading.gpu is not None:
        found[GPU_CLOCKS] = _clocks_in_words([reading.gpu] if reading.gpu else [])
    if reading.has_emc or reading.emc is not None:
        found[EMC_CLOCKS] = _emc_in_words(reading.emc, reading.emc_cap_hz)
    return found


def clock_flags(readings: Sequence[ClockReading]) -> list[Flag]:
    """CLOCK_DRIFT where the last reading shows that somebody set a clock anew after the first."""
    drifted = "; ".join(_resets(readings[0], readings[-1]))
    return [Flag(kind=FLAG_KIND_CLOCK_DRIFT, evidence=drifted)] if drifted else []


def describe_clocks(readings: Sequence[ClockReading]) -> dict[str, str]:
    """First and last reading, for the environment record."""
    return {f"clocks_{when}": _reading_in_words(readings[at]) for when, at in (("before", 0), ("after", -1))}


def _resets(first: ClockReading, last: ClockReading) -> Iterator[str]:
    yield from _reset("GPU", first.gpu, last.gpu)
    yield from _reset("EMC", first.emc, last.emc)
    after = {clock.name: clock for clock in last.cpus}
    changed = [text for clock in first.cpus for text in _reset(clock.name, clock, after.get(clock.name))]
    yield from changed[:1]  # they are set together, and one tells it


def _reset(name: str, before: Clock | None, after: Clock | None) -> Iterator[str]:
    """Somebody changed how it may run."""
    if before is None or after is None:
        return
    for what, old, new in (
        ("range", (before.min_hz, before.max_hz), (after.min_hz, after.max_hz)),
        ("governor", before.governor, after.governor),
        ("lock", before.held, after.held),
    ):
        if old != new:
            then, now = _words(before), _words(after)
            told = f"from {then} to {now}" if what != "governor" else f"from {before.governor} to {after.governor}"
            yield f"the {what} of the {name} clock changed {told}"
            return


def _clocks_in_words(clocks: Sequence[Clock]) -> str:
    """Of several clocks what each says, once."""
    found = list(dict.fromkeys(map(_words, clocks)))
    return " / ".join(found) if found else UNKNOWN


def _emc_in_words(clock: Clock | None, cap_hz: int | None) -> str:
    words = _words(clock) if clock else UNKNOWN
    return f"{words}, capped at {_mhz(cap_hz)} MHz" if words == UNKNOWN and cap_hz else words


def _words(clock: Clock) -> str:
    if clock.locked:
        at = clock.current_hz if clock.held else clock.min_hz
        return f"{LOCKED} at {_mhz(at)} MHz" if at else LOCKED
    if clock.max_hz is None or (clock.held is None and clock.min_hz is None):
        return UNKNOWN
    return f"free, {_mhz(clock.min_hz or 0)} to {_mhz(clock.max_hz)} MHz" if clock.min_hz else _up_to(clock.max_hz)


def _up_to(most_hz: int) -> str:
    return f"free, up to {_mhz(most_hz)} MHz"


def _reading_in_words(reading: ClockReading) -> str:
    clocks = (reading.gpu, reading.emc, *reading.cpus)
    parts = [
        f"{clock.name} {_mhz(clock.current_hz or 0)} MHz ({_words(clock)}, {clock.governor or 'no governor'})"
        for clock in clocks
        if clock is not None
    ]
    return ", ".join(parts) or UNKNOWN


def _mhz(hz: float) -> str:
    return f"{hz / 1e6:.0f}"
