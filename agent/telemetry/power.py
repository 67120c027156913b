"""Power and energy of a measurement: whose they are, what they are over its windows, and how well they are known. Pure.

The interval covers what sampling leaves open and the monitor's smallest step. It does not cover what nobody here can
know: the tolerance of the monitor and of its shunt.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

from agent.telemetry.channels.nvml import BY_NVML
from agent.telemetry.series import ChannelSeries, Telemetry, Window, length_s
from jetfleet.stats.student import quantile
from jetfleet.v1.task_pb2 import Estimate

MIN_CONVERSIONS = 8  # in the windows: below that, a mean of them says little of what was between
_CONFIDENCE = 0.975  # of each side


@dataclass(frozen=True)
class PowerSource:
    """The series that make up one total, and what it covers."""

    series: tuple[ChannelSeries, ...]
    covers: str

    @property
    def conversion_s(self) -> float:
        """Between two values that differ: the monitor's or our own, whichever is slower."""
        return max(max(item.channel.conversion_s or 0.0, item.channel.every_s) for item in self.series)

    def conversions(self, windows: Sequence[Window]) -> int:
        """Values of the slowest series in the windows; a monitor that is read faster than it converts tells no more."""
        read = min(len(item.inside(windows)) for item in self.series)
        return min(read, int(length_s(windows) / self.conversion_s + 1e-6) + 1)


def power_source(telemetry: Telemetry, *, on_gpu: bool) -> PowerSource | str:
    """A board's rails, else the GPU's board for what ran on it, else the CPU's package for what ran on that; or the
    reason why there is none."""
    rails = [item for item in telemetry.named("power.") if item.channel.covers not in ("", BY_NVML)]
    if rails:
        return PowerSource(tuple(rails), rails[0].channel.covers)
    gpu = telemetry.named("power.gpu")
    if on_gpu and gpu:
        return PowerSource(tuple(gpu), BY_NVML)
    packages = telemetry.named("energy.package")
    if packages and not on_gpu:
        return PowerSource(tuple(packages), packages[0].channel.covers)
    names = ("power rails", "power.gpu", "GPU by NVML") if on_gpu else ("power rails", "RAPL", *_PACKAGES)
    return f"no readable rail: {telemetry.why_absent(*names) or 'none is known'}"


def mean_power(source: PowerSource | str, windows: Sequence[Window], *, least: int = MIN_CONVERSIONS) -> Estimate:
    """In watts, with its interval; or the reason why there is none."""
    if isinstance(source, str):
        return Estimate(reason=source)
    conversions = source.conversions(windows)
    if conversions < least:
        wanted_s = least * source.conversion_s
        few = f"{conversions} conversions in {length_s(windows):.2g} s < {least}"
        return Estimate(reason=f"{few}: {source.covers} needs a window of {wanted_s:.2g} s")
    value = math.fsum(_mean_w(item, windows) for item in source.series)
    half = math.fsum(_half_width_w(item, windows) for item in source.series)
    return Estimate(value=value, low=max(0.0, value - half), high=value + half)


def energy_per_inference(power: Estimate, *, inferences_per_s: float) -> Estimate:
    """In millijoules, of everything that the power covers, idle included: nothing is subtracted."""
    if not power.HasField("value"):
        return Estimate(reason=power.reason)
    scale = 1e3 / inferences_per_s
    return Estimate(value=power.value * scale, low=power.low * scale, high=power.high * scale)


def in_words(source: PowerSource | str, windows: Sequence[Window]) -> str:
    """For the record: what was measured by what, and how often."""
    if isinstance(source, str):
        return source
    sources = ", ".join(item.channel.source for item in source.series)
    conversion = ", ".join(
        f"{item.channel.conversion_s * 1e3:g} ms" if item.channel.conversion_s else "unknown" for item in source.series
    )
    return (
        f"{source.covers}; {sources}; conversion time {conversion}; {source.conversions(windows)} conversions in "
        f"{length_s(windows):.3g} s"
    )


_PACKAGES = tuple(f"energy.package-{number}" for number in range(8))


def _mean_w(series: ChannelSeries, windows: Sequence[Window]) -> float:
    return series.grown(windows) / length_s(windows) if series.channel.counts else series.mean(windows)


def _half_width_w(series: ChannelSeries, windows: Sequence[Window]) -> float:
    """Student's t over as many values as the series is worth, and half a step of the monitor."""
    values = (series.rates() if series.channel.counts else series).inside(windows)
    step_w = (series.channel.step_w or 0.0) / 2
    if len(values) < 2:
        return step_w
    worth = max(2.0, len(values) * _independent_share(values))
    return quantile(_CONFIDENCE, worth - 1) * stdev(values) / math.sqrt(worth) + step_w


def _independent_share(values: Sequence[float]) -> float:
    """(1 - r) / (1 + r) of the correlation of neighbours, as if they were an AR(1) process; never above 1."""
    mean = fmean(values)
    variance = math.fsum((value - mean) ** 2 for value in values)
    if not variance:
        return 1.0
    together = math.fsum((a - mean) * (b - mean) for a, b in pairwise(values))
    correlation = min(max(together / variance, 0.0), 0.98)
    return (1 - correlation) / (1 + correlation)
