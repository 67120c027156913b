"""At which clocks was it measured, did they stay, was the machine slowed down? Read before, between and after rounds.

Nothing here needs root; what cannot be read is unknown, and says so. What readings mean is decided by pure functions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from agent.device.clocks import Clock, emc_cap_hz, gpu_folder, read_cpu_policies, read_emc_clock, read_gpu_clock
from agent.device.nvml_clocks import GpuState, NvmlClocks
from agent.device.thermal import over_current_events, throttling
from jetfleet.circumstances import CPU_CLOCKS, EMC_CLOCKS, GPU_CLOCKS, UNKNOWN
from jetfleet.v1.task_pb2 import FLAG_KIND_CLOCK_DRIFT, FLAG_KIND_THROTTLED, Flag

# A clock that is free moves by a step now and then; more than this moves the number.
DRIFT = 0.05
CPU_DRIFT = 0.10  # of the fastest CPU's, which is read as an average over the kernel's last tick
_THIRDS = 3
EVERY_S = 0.25


@dataclass(frozen=True)
class ClockReading:
    """One look at everything. `slowed`: NVML's reasons; `alerts`, `over_current`: as agent.device.thermal has them."""

    gpu: Clock | None = None
    cpus: tuple[Clock, ...] = ()
    emc: Clock | None = None
    alerts: Mapping[str, int] = field(default_factory=dict)
    over_current: Mapping[str, int] = field(default_factory=dict)
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
        open_nvml: Callable[[str], NvmlClocks | None] = NvmlClocks.open,
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
            alerts=throttling(root),
            over_current=over_current_events(root),
            slowed=state.slowed if state else frozenset(),
            emc_cap_hz=emc_cap_hz(root),
            has_emc=self._is_jetson,
        )

    def close(self) -> None:
        if self._nvml is not None:
            self._nvml.close()


class ClockWatch:
    """Takes readings between rounds, not more often than EVERY_S; the last one always."""

    def __init__(self, read: Callable[[], ClockReading], *, now: Callable[[], float]) -> None:
        self._read, self._now = read, now
        self._next = 0.0
        self.readings: list[ClockReading] = []

    def look(self, *, at_once: bool = False) -> None:
        now = self._now()
        if at_once or now >= self._next:
            self.readings.append(self._read())
            self._next = now + EVERY_S


def clock_circumstances(reading: ClockReading, *, on_gpu: bool) -> dict[str, str]:
    """As they were at the end. A machine without a GPU or a Jetson's memory clock does not speak of them."""
    found = {CPU_CLOCKS: _clocks_in_words(reading.cpus)}
    if on_gpu or reading.gpu is not None:
        found[GPU_CLOCKS] = _clocks_in_words([reading.gpu] if reading.gpu else [])
    if reading.has_emc or reading.emc is not None:
        found[EMC_CLOCKS] = _emc_in_words(reading.emc, reading.emc_cap_hz)
    return found


def clock_flags(readings: Sequence[ClockReading], *, on_cpu: bool) -> list[Flag]:
    """CLOCK_DRIFT and THROTTLED, each once with all that was seen.

    `on_cpu`: something that was measured ran on the CPUs, so that where their clocks stand matters.
    """
    found = []
    if drifted := list(_drifts(readings, on_cpu)):
        found.append(Flag(kind=FLAG_KIND_CLOCK_DRIFT, evidence="; ".join(drifted)))
    if slowed := list(_throttled(readings)):
        found.append(Flag(kind=FLAG_KIND_THROTTLED, evidence="; ".join(slowed)))
    return found


def describe_clocks(readings: Sequence[ClockReading]) -> dict[str, str]:
    """First and last reading, and the GPU's range between them, for the environment record."""
    found = {f"clocks_{when}": _reading_in_words(readings[at]) for when, at in (("before", 0), ("after", -1))}
    gpu = _currents([reading.gpu for reading in readings])
    if gpu:
        found["gpu_clock_seen"] = f"{_mhz(min(gpu))} to {_mhz(max(gpu))} MHz in {len(gpu)} readings"
    return found


def _drifts(readings: Sequence[ClockReading], on_cpu: bool) -> Iterator[str]:
    first, last = readings[0], readings[-1]
    yield from _reset("GPU", first.gpu, last.gpu)
    yield from _reset("EMC", first.emc, last.emc)
    after = {clock.name: clock for clock in last.cpus}
    changed = [text for clock in first.cpus for text in _reset(clock.name, clock, after.get(clock.name))]
    yield from changed[:1]  # they are set together, and one tells it
    for name, clocks in (("GPU", [item.gpu for item in readings]), ("EMC", [item.emc for item in readings])):
        seen = _currents(clocks)
        if seen and max(seen) > min(seen) * (1 + DRIFT):
            yield f"{name} clock between {_mhz(min(seen))} and {_mhz(max(seen))} MHz (limit {DRIFT:.0%})"
    if on_cpu:
        yield from _cpu_drift([max(_currents(item.cpus), default=0) for item in readings])


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


def _cpu_drift(fastest: Sequence[int]) -> Iterator[str]:
    """Single readings of a CPU's clock scatter: levels of the first and the last third are compared."""
    part = len(fastest) // _THIRDS
    if part == 0:
        return
    early, late = median(fastest[:part]), median(fastest[-part:])
    if early and late and max(early, late) > min(early, late) * (1 + CPU_DRIFT):
        levels = f"{_mhz(early)} MHz in the first third, {_mhz(late)} in the last"
        yield f"fastest CPU at {levels} (limit {CPU_DRIFT:.0%})"


def _throttled(readings: Sequence[ClockReading]) -> Iterator[str]:
    alerts = sorted({name for reading in readings for name, state in reading.alerts.items() if state > 0})
    yield from (f"{name} was raised" for name in alerts)
    first, last = readings[0].over_current, readings[-1].over_current
    for name, count in last.items():
        if (more := count - first.get(name, count)) > 0:
            yield f"{more} {name} event{'s' if more > 1 else ''}"
    yield from (f"GPU slowed by {reason}" for reason in sorted({word for item in readings for word in item.slowed}))


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
        return f"locked at {_mhz(at)} MHz" if at else "locked"
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


def _currents(clocks: Sequence[Clock | None]) -> list[int]:
    return [clock.current_hz for clock in clocks if clock is not None and clock.current_hz]


def _mhz(hz: float) -> str:
    return f"{hz / 1e6:.0f}"
