"""What sampled channels say against a measurement: THROTTLED, CLOCK_DRIFT and INTERFERED, each with its evidence. Pure.

Limits are such that a machine which is left alone raises none of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from agent.device.nvml_gpu import NvmlGpu
from agent.telemetry.series import ChannelSeries, Telemetry, Window, length_s
from jetfleet.v1.task_pb2 import FLAG_KIND_CLOCK_DRIFT, FLAG_KIND_INTERFERED, FLAG_KIND_THROTTLED, Flag

# A clock that is free moves by a step now and then; more than this moves the number.
DRIFT = 0.05
CPU_DRIFT = 0.10  # of the fastest CPU's, which is read as an average over the kernel's last tick
_THIRDS = 3
STOLEN = 0.03  # of the time in which CPUs were wanted
LEAST_STOLEN_S = 0.05  # the kernel counts in ticks of a hundredth
STALLED = 0.03  # of the time, for want of memory
BUSY_CPUS = 0.5  # that others may use: daemons take a tenth of one...
BUSY_SHARE = 0.03  # ...and of a server's many, this share
GPU_LOAD = 10.0  # percent, at rest or by other processes


@dataclass(frozen=True)
class Watched:
    """What was measured on, and when: in which windows, and `rest` before all work, where it was waited for. `cpus` is
    how many the machine has. `paced`: it idles between inputs, and that its clocks fall then is what is measured."""

    windows: Sequence[Window]
    rest: Window | None
    cpus: int
    on_cpu: bool
    on_gpu: bool
    paced: bool = False

    @property
    def span(self) -> Window:
        """From the first window to the last."""
        return self.windows[0][0], self.windows[-1][1]


def sampled_flags(telemetry: Telemetry, watched: Watched) -> list[Flag]:
    found = []
    for kind, reasons in (
        (FLAG_KIND_CLOCK_DRIFT, _drifts(telemetry, watched)),
        (FLAG_KIND_THROTTLED, _throttled(telemetry, watched)),
        (FLAG_KIND_INTERFERED, _interfered(telemetry, watched)),
    ):
        if evidence := "; ".join(reasons):
            found.append(Flag(kind=kind, evidence=evidence))
    return found


def _drifts(telemetry: Telemetry, watched: Watched) -> Iterator[str]:
    if watched.paced:
        return
    for name, channel in (("GPU", "clock.gpu"), ("EMC", "clock.emc")):
        for series in telemetry.named(channel):
            seen = [mhz for mhz in series.inside(watched.windows) if mhz]
            if seen and max(seen) > min(seen) * (1 + DRIFT):
                yield f"{name} clock between {min(seen):.0f} and {max(seen):.0f} MHz (limit {DRIFT:.0%})"
    if watched.on_cpu:
        cpus = [*telemetry.named("clock.cpu"), *telemetry.named("clock.policy")]
        yield from _cpu_drift(fastest(cpus, watched.windows))


def fastest(cpus: Sequence[ChannelSeries], windows: Sequence[Window]) -> list[float]:
    """The fastest of the CPUs' clocks at each moment, in MHz."""
    at: dict[float, float] = {}
    for series in cpus:
        for time_s, mhz in zip(series.times_s, series.values, strict=True):
            at[time_s] = max(at.get(time_s, 0.0), mhz)
    return [mhz for time_s, mhz in sorted(at.items()) if any(begin <= time_s <= end for begin, end in windows)]


def _cpu_drift(levels: Sequence[float]) -> Iterator[str]:
    """Single readings of a CPU's clock scatter: levels of the first and the last third are compared."""
    part = len(levels) // _THIRDS
    if part == 0:
        return
    early, late = median(levels[:part]), median(levels[-part:])
    if early and late and max(early, late) > min(early, late) * (1 + CPU_DRIFT):
        yield f"fastest CPU at {early:.0f} MHz in the first third, {late:.0f} in the last (limit {CPU_DRIFT:.0%})"


def _throttled(telemetry: Telemetry, watched: Watched) -> Iterator[str]:
    for series in telemetry.named("alert."):
        raised = [state for state in series.inside([watched.span]) if state > 0]
        if raised:
            yield f"{_last(series)} was raised in {len(raised)} of {len(series.inside([watched.span]))} readings"
    for series in telemetry.named("events."):
        more = round(series.values[-1] - series.values[_first_before(series, watched.span[0])])
        if more > 0:
            yield f"{more} {_last(series)} event{'s' if more > 1 else ''}"
    for series in telemetry.named("slowed.gpu"):
        words = {word for bits in series.inside(watched.windows) for word in NvmlGpu.words_of(int(bits))}
        yield from (f"GPU slowed by {word}" for word in sorted(words))


def _interfered(telemetry: Telemetry, watched: Watched) -> Iterator[str]:
    if watched.on_gpu:
        yield from _gpu_shared(telemetry, watched)
    if watched.on_cpu and not watched.paced:
        yield from _cpus_shared(telemetry, watched)
    for series in telemetry.named("stalled.memory"):
        share = series.grown([watched.span]) / length_s([watched.span])
        if share > STALLED:
            yield f"tasks waited for memory {share:.1%} of the time (limit {STALLED:.0%})"
    yield from _stolen(telemetry, watched)


def _gpu_shared(telemetry: Telemetry, watched: Watched) -> Iterator[str]:
    """At rest nothing of ours runs: what runs then is somebody else's. The last reading, because the first may still
    hold what was before."""
    for series in telemetry.named("load.gpu"):
        if watched.rest and (resting := series.inside([watched.rest])) and resting[-1] > GPU_LOAD:
            yield f"the GPU was {resting[-1]:.0f} % busy before anything was loaded (limit {GPU_LOAD:.0f} %)"
    for series in telemetry.named("load.others"):
        loads = series.inside([watched.span])
        if loads and max(loads) > GPU_LOAD:
            yield f"other processes had up to {max(loads):.0f} % of the GPU (limit {GPU_LOAD:.0f} %)"


def _cpus_shared(telemetry: Telemetry, watched: Watched) -> Iterator[str]:
    """What the machine's CPUs did, less what this process did: they share caches and memory, though none is waited
    for. Not where it wakes up at a pace: the kernel counts by ticks whose CPU is busy, and may take the two for one."""
    for busy, own in zip(telemetry.named("cpu.busy"), telemetry.named("cpu.own"), strict=False):
        others = (busy.grown([watched.span]) - own.grown([watched.span])) / length_s([watched.span])
        limit = max(BUSY_CPUS, BUSY_SHARE * watched.cpus)
        if others > limit:
            yield f"other processes used {others:.1f} of {watched.cpus} CPUs (limit {limit:.1f})"


def _stolen(telemetry: Telemetry, watched: Watched) -> Iterator[str]:
    for stolen, busy in zip(telemetry.named("cpu.steal"), telemetry.named("cpu.busy"), strict=False):
        stolen_s, busy_s = stolen.grown([watched.span]), busy.grown([watched.span])
        share = stolen_s / (stolen_s + busy_s) if stolen_s > 0 else 0.0
        if share > STOLEN and stolen_s > LEAST_STOLEN_S:
            yield f"the hypervisor gave {share:.1%} of the CPUs' time to others (limit {STOLEN:.0%})"


def _first_before(series: ChannelSeries, time_s: float) -> int:
    """The last reading before a moment, or the first one at all."""
    before = [at for at, taken_s in enumerate(series.times_s) if taken_s <= time_s]
    return before[-1] if before else 0


def _last(series: ChannelSeries) -> str:
    return series.channel.name.partition(".")[2]
