"""Work under load until the board's temperature is steady: what a camera's board does all day, measured as such.

Steady is a slope, not a temperature: no zone moves faster than asked, over a window long enough for a sensor's steps.
Only the first process of a BENCH soaks; those that follow it find the board warm.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.device.thermal import temperatures
from agent.repeat.role import RunRole
from agent.runtime.base import Report
from agent.work.together import Lane, LaneGroup
from jetfleet.circumstances import SOAK
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import Measurement, MeasureOptions

WINDOW_S = 60.0
_LOOK_EVERY_S = 1.0
_FEWEST = 10  # readings in a window

Temperatures = Mapping[str, float]
Reading = tuple[float, Temperatures]


@dataclass(frozen=True)
class Soaked:
    """How it went; empty where nobody asked, or this process is not the first. `state` is a circumstance's value."""

    state: str = ""
    took_s: float = 0.0
    celsius: float | None = None

    @property
    def circumstances(self) -> dict[str, str]:
        return {SOAK: self.state} if self.state else {}

    def add_metrics(self, measurement: Measurement) -> None:
        if self.celsius is not None:
            measurement.metrics["soak_s"].value = self.took_s
            measurement.metrics["soak_c"].value = self.celsius


@dataclass(frozen=True)
class SoakSensors:
    """Where temperatures and the time come from."""

    read: Callable[[], Temperatures]
    now: Callable[[], float] = field(default=time.monotonic)


def sensors_of(root: Path, *, simulated: bool) -> SoakSensors | None:
    """None where nothing runs for real."""
    if simulated:
        return None
    return SoakSensors(lambda: temperatures(root))


def soak(
    lanes: Sequence[Lane], measure: MeasureOptions, report: Report, *, role: RunRole, sensors: SoakSensors | None
) -> Soaked:
    """Has all lanes work; without sensors, where nothing runs for real, nothing warms up. Raises BadInput where no
    temperature can be read.
    """
    if not measure.HasField("soak") or not role.is_first:
        return Soaked()
    if sensors is None:
        return Soaked("on")
    if not sensors.read():
        raise BadInput("soak needs a temperature, and no thermal zone can be read here", where="measure.soak")
    return _work(LaneGroup(lanes), measure.soak.limit.ToNanoseconds() / 1e9, measure, report, sensors)


def _work(group: LaneGroup, limit_s: float, measure: MeasureOptions, report: Report, sensors: SoakSensors) -> Soaked:
    begin = sensors.now()
    readings: list[Reading] = [(begin, sensors.read())]
    while True:
        group.warm_up(_LOOK_EVERY_S)
        readings.append((sensors.now(), sensors.read()))
        took_s, hottest = readings[-1][0] - begin, max(readings[-1][1].values(), default=None)
        slope = steepest(readings, window_s=WINDOW_S)
        shown = f"{hottest:.1f} °C" if hottest is not None else "no temperature"
        pace = "" if slope is None else f", {slope:+.2f} °C per minute"
        report("soak", min(1.0, took_s / limit_s), f"{shown}{pace}")
        if slope is not None and abs(slope) <= measure.soak.celsius_per_minute:
            return Soaked("on", took_s, hottest)
        if took_s >= limit_s:
            return Soaked("not steady in time", took_s, hottest)


def steepest(readings: Sequence[Reading], *, window_s: float) -> float | None:
    """Degrees per minute of the zone that moves fastest, over the last window; None while that is not full."""
    end = readings[-1][0]
    recent = [reading for reading in readings if reading[0] >= end - window_s]
    if readings[0][0] > end - window_s or len(recent) < _FEWEST:
        return None
    zones = set.intersection(*(set(temperatures) for _, temperatures in recent))
    slopes = [_slope([(at, temperatures[zone]) for at, temperatures in recent]) for zone in zones]
    return 60.0 * max(slopes, key=abs, default=0.0)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares, per second."""
    mean_at = sum(at for at, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (value - mean) for at, value in points) / spread if spread else 0.0
