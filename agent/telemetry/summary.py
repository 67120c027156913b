"""From sampled channels to the metrics of a measurement, each with a value or the reason why it has none. Pure."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from agent.telemetry.disturbances import Watched, fastest
from agent.telemetry.power import energy_per_inference, mean_power, power_source
from agent.telemetry.series import ChannelSeries, Telemetry, Window
from jetfleet.v1.task_pb2 import Estimate

_IDLE_CONVERSIONS = 3
_KEPT_BEFORE_S = 5.0  # what is told at full rate before the first round; before that, once a second
_SHARED = "drawn by several subjects, together or in turns"


def telemetry_metrics(telemetry: Telemetry, watched: Watched, *, inferences_per_s: float) -> dict[str, Estimate]:
    """By the names of jetfleet/metrics.py. `inferences_per_s` is how often the power was drawn for one; 0 for one
    subject of several, which has no power of its own."""
    source = power_source(telemetry, on_gpu=watched.on_gpu)
    windows, rest = watched.windows, [watched.rest] if watched.rest else []
    power = mean_power(source, windows) if inferences_per_s else Estimate(reason=_SHARED)
    found = {
        "power_mean_w": power,
        "energy_mj": energy_per_inference(power, inferences_per_s=inferences_per_s),
        "gpu_clock_mean_mhz": _mean(telemetry, "clock.gpu", windows),
        "cpu_clock_mean_mhz": _mean_of(_fastest(telemetry, windows), telemetry.why_absent("CPU clocks")),
        "temperature_max_c": _hottest(telemetry, windows),
    }
    if rest or isinstance(source, str):  # later processes of a BENCH do not wait for it, and the first one's counts
        found["power_idle_w"] = _without_interval(mean_power(source, rest, least=_IDLE_CONVERSIONS))
    return found


def _without_interval(estimate: Estimate) -> Estimate:
    return Estimate(value=estimate.value) if estimate.HasField("value") else estimate


def _mean(telemetry: Telemetry, channel: str, windows: Sequence[Window]) -> Estimate:
    found = telemetry.named(channel)
    if not found:
        return Estimate(reason=telemetry.why_absent(channel, "GPU by NVML") or "there is no such clock")
    return Estimate(value=found[0].mean(windows))


def _fastest(telemetry: Telemetry, windows: Sequence[Window]) -> list[float]:
    return fastest([*telemetry.named("clock.cpu"), *telemetry.named("clock.policy")], windows)


def _mean_of(values: Sequence[float], why_none: str) -> Estimate:
    return Estimate(value=fmean(values)) if values else Estimate(reason=why_none or "not read during the windows")


def _hottest(telemetry: Telemetry, windows: Sequence[Window]) -> Estimate:
    """Zones are read seldom: where none was read in the windows, the value between its neighbours counts."""
    zones = telemetry.named("temperature.")
    if not zones:
        return Estimate(reason=telemetry.why_absent("temperatures", "temperature.gpu") or "no zone")
    return Estimate(value=max(max([*zone.inside(windows), zone.at(windows[-1][1])]) for zone in zones))


def as_lines(telemetry: Telemetry, watched: Watched, *, power: str) -> str:
    """The series for people and programs: a line for the whole, then one for each channel. Times are in seconds from
    the begin of the first window."""
    zero_s = watched.windows[0][0]
    return "".join(json.dumps(line) + "\n" for line in _lines(telemetry, watched, zero_s, power))


def _lines(telemetry: Telemetry, watched: Watched, zero_s: float, power: str) -> Iterator[Mapping[str, object]]:
    def shifted(windows: Sequence[Window]) -> list[list[float]]:
        return [[round(begin - zero_s, 6), round(end - zero_s, 6)] for begin, end in windows]

    yield {
        "monotonic_s": zero_s,
        "rest": shifted([watched.rest]) if watched.rest else [],
        "rounds": shifted(watched.windows),
        "power": power,
        "sampler_cpu_share": telemetry.cpu_share,
        "lost": telemetry.lost,
        "absent": {item.name: item.why for item in telemetry.absent},
    }
    for series in telemetry.series.values():
        yield _line(series, zero_s)


def _thinned(series: ChannelSeries, zero_s: float) -> Iterator[tuple[float, float]]:
    """Time and value: an hour under load before the rounds would be most of the file."""
    kept_s = -math.inf
    for time_s, value in zip(series.times_s, series.values, strict=True):
        if time_s >= zero_s - _KEPT_BEFORE_S or time_s >= kept_s + 1.0:
            kept_s = time_s
            yield time_s, value


def _line(series: ChannelSeries, zero_s: float) -> Mapping[str, object]:
    channel, kept = series.channel, list(_thinned(series, zero_s))
    return {
        "channel": channel.name,
        "unit": channel.unit,
        "source": channel.source,
        "every_s": channel.every_s,
        "conversion_s": channel.conversion_s,
        "covers": channel.covers,
        "t_s": [round(time_s - zero_s, 4) for time_s, _ in kept],
        "values": [float(f"{value:.9g}") for _, value in kept],
    }
