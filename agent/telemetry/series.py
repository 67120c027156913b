"""Series of a channel over time, and what they amount to over windows of time. Pure; times are of CLOCK_MONOTONIC."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

from agent.telemetry.channels.channel import Absent, Channel

Window: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class ChannelSeries:
    """What could be read of a channel, in time order."""

    channel: Channel
    times_s: Sequence[float]
    values: Sequence[float]

    def inside(self, windows: Sequence[Window]) -> list[float]:
        return [self.values[at] for window in windows for at in self._range(window)]

    def integral(self, windows: Sequence[Window]) -> float:
        """By trapezoids over the real times, interpolated at the windows' edges; beyond the ends the nearest value
        holds. Raises ValueError where there is no value at all."""
        return math.fsum(self._area(window) for window in windows)

    def mean(self, windows: Sequence[Window]) -> float:
        return self.integral(windows) / length_s(windows)

    def grown(self, windows: Sequence[Window]) -> float:
        """Of a counter: by how much it grew in them."""
        return math.fsum(self.at(end) - self.at(begin) for begin, end in windows)

    def rates(self) -> "ChannelSeries":
        """Of a counter: how fast it grew between readings, each at the middle between them."""
        pairs = list(pairwise(zip(self.times_s, self.values, strict=True)))
        times = [(before[0] + after[0]) / 2 for before, after in pairs]
        return ChannelSeries(
            self.channel, times, [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairs]
        )

    def at(self, time_s: float) -> float:
        after = bisect_left(self.times_s, time_s)
        if not self.values:
            raise ValueError(f"{self.channel.name} was never read")
        if after == 0 or after == len(self.times_s):
            return self.values[min(after, len(self.values) - 1)]
        begin_s, end_s = self.times_s[after - 1], self.times_s[after]
        share = (time_s - begin_s) / (end_s - begin_s)
        return self.values[after - 1] + share * (self.values[after] - self.values[after - 1])

    def _range(self, window: Window) -> range:
        return range(bisect_left(self.times_s, window[0]), bisect_right(self.times_s, window[1]))

    def _area(self, window: Window) -> float:
        begin, end = window
        within = self._range(window)
        times = [begin, *(self.times_s[at] for at in within), end]
        values = [self.at(begin), *(self.values[at] for at in within), self.at(end)]
        points = zip(pairwise(times), pairwise(values), strict=True)
        return math.fsum((t1 - t0) * (v0 + v1) / 2 for (t0, t1), (v0, v1) in points)


@dataclass(frozen=True)
class Telemetry:
    """All that a sampler told. `cpu_share` is what it took of a CPU; `lost` why there is nothing, where it failed."""

    series: Mapping[str, ChannelSeries] = field(default_factory=dict)
    absent: Sequence[Absent] = ()
    cpu_share: float | None = None
    lost: str = ""

    def named(self, prefix: str) -> list[ChannelSeries]:
        """The series of channels whose name begins so, that were read at least once."""
        return [series for name, series in self.series.items() if name.startswith(prefix) and series.values]

    def why_absent(self, *names: str) -> str:
        """Why there is none of the channels of these names."""
        if self.lost:
            return self.lost
        return "; ".join(f"{item.name}: {item.why}" for item in self.absent if item.name in names)


def parse(told: Mapping[str, Any]) -> Telemetry:
    """From the sampler's JSON."""
    found = {}
    for sensor in told["sensors"]:
        times_s = [time_ns / 1e9 for time_ns in sensor["times_ns"]]
        for about, values in zip(sensor["channels"], sensor["values"], strict=True):
            channel = Channel(**about)
            read = [(time_s, value) for time_s, value in zip(times_s, values, strict=True) if value is not None]
            column = [value for _, value in read]
            series = list(_unwrapped(column, channel.wraps_at)) if channel.wraps_at else column
            found[channel.name] = ChannelSeries(channel, [time_s for time_s, _ in read], series)
    absent = [Absent(**item) for item in told["absent"]]
    return Telemetry(found, absent, told["cpu_s"] / told["elapsed_s"] if told["elapsed_s"] else None)


def length_s(windows: Sequence[Window]) -> float:
    return math.fsum(end - begin for begin, end in windows)


def _unwrapped(values: Sequence[float], wraps_at: float) -> Iterator[float]:
    added, before = 0.0, -math.inf
    for value in values:
        if value < before:
            added += wraps_at
        before = value
        yield value + added
