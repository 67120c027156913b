"""The one list of metrics. What an agent fills, the controller stores and every view, file and document shows derives
from it: a metric is added here, and in the code that measures it, and nowhere else.

The words are trtexec's: latency = h2d + compute + d2h by the device's clock, enqueue = the host's time in the enqueue
call, e2e = wall clock of the host around the whole inference; pre, latency, post and residual add up to e2e. A stage
that a runtime does not have is absent, not zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True)
class MetricSpec:
    """A number of a measurement. With an interval, `NAME_low`, `NAME_high` and `NAME_reason` go with it everywhere, or
    its reason alone."""

    name: str
    unit: str
    better: Better
    meaning: str
    has_interval: bool = False
    has_reason: bool = False  # where it has no interval: that its absence is explained
    stage: str = ""  # of STAGES; empty: not of a stage
    statistic: str = ""  # of latencies; empty: not a statistic of them
    signed: bool = False  # whether it may be below zero

    @property
    def parts(self) -> tuple[str, ...]:
        """What of an estimate is kept of it: the value, its 95 % interval, and why one is missing."""
        if self.has_interval:
            return ("value", "low", "high", "reason")
        return ("value", "reason") if self.has_reason else ("value",)

    @property
    def columns(self) -> tuple[str, ...]:
        """What its parts are called in SQL, CSV, JSON and pandas."""
        return tuple(self.name if part == "value" else f"{self.name}_{part}" for part in self.parts)


CELSIUS = "°C"  # boards work outdoors
STATISTICS = ("min", "mean", "p50", "p90", "p95", "p99", "max")

STAGES = {
    "pre": "the pipeline's steps before the engine: from the frame's bytes to the tensor that the engine reads",
    "h2d": "copies from host to device",
    "compute": "the engine's own time; on a CPU all of the latency",
    "d2h": "copies from device to host",
    "post": "the pipeline's steps behind the engine: from its outputs to the answer",
    "enqueue": "the host's time in the enqueue call; overlaps the others",
    "latency": "h2d + compute + d2h; on a CPU the wall clock. The unprefixed figures are of these samples",
    "e2e": "wall clock of the host around one inference; with a pipeline from the frame's bytes to the answer",
    "residual": "e2e less pre, latency and post: what no stage accounts for",
    "queue": "mode paced: from an input's planned arrival to the begin of its inference",
    "response": "mode paced: from an input's planned arrival to its answer, queue + e2e",
}

PACED_STAGES = ("queue", "response")  # which no other mode has

_MEANINGS = {
    "min": "minimum",
    "mean": "mean, nothing clipped",
    "std": "standard deviation",
    "p50": "median",
    "max": "maximum",
}


# Of the machine while it measured: docs/telemetry.md says of what they are, and when they are missing.
TELEMETRY = (
    MetricSpec(
        "energy_mj",
        "mJ",
        Better.LOWER,
        "energy of one inference (the whole batch) over the timed windows, idle power included",
        has_interval=True,
    ),
    MetricSpec("power_mean_w", "W", Better.LOWER, "mean power over the timed windows", has_interval=True),
    *(
        MetricSpec(name, unit, better, meaning, has_reason=True, signed=unit == CELSIUS)
        for name, unit, better, meaning in (
            ("power_idle_w", "W", Better.NEITHER, "mean power at rest, before the engine was loaded"),
            ("gpu_clock_mean_mhz", "MHz", Better.NEITHER, "mean clock of the GPU over the timed windows"),
            ("cpu_clock_mean_mhz", "MHz", Better.NEITHER, "mean clock of the fastest CPU over the timed windows"),
            ("temperature_max_c", CELSIUS, Better.LOWER, "the hottest zone's highest temperature while timed"),
        )
    ),
)


def percentile(statistic: str) -> float | None:
    """0.99 of `p99`; None for what is not a percentile."""
    digits = statistic.removeprefix("p")
    return float(f"0.{digits}") if statistic.startswith("p") and digits.isdigit() else None


def _latencies() -> Iterator[MetricSpec]:
    """Of one inference, which is a whole batch: the figures that results are read and compared by."""
    for statistic in ("p50", "p90", "p95", "p99", "mean", "std", "min", "max"):
        yield MetricSpec(
            name=f"{statistic}_ms",
            unit="ms",
            better=Better.LOWER,
            meaning=f"latency of one inference (the whole batch): {_meaning(statistic)}",
            has_interval=percentile(statistic) is not None,
            statistic=statistic,
        )


def _stages() -> Iterator[MetricSpec]:
    for stage, meaning in STAGES.items():
        for statistic in STATISTICS:
            yield MetricSpec(
                name=f"{stage}_{statistic}_ms",
                unit="ms",
                better=Better.LOWER,
                meaning=f"{meaning}: {_meaning(statistic)}",
                stage=stage,
                statistic=statistic,
                signed=stage == "residual",  # a difference of two clocks
            )


def _meaning(statistic: str) -> str:
    return _MEANINGS.get(statistic) or f"{statistic[1:]}th percentile, nearest rank"


_PACED = (
    MetricSpec(
        "paced_miss_share",
        "share",
        Better.LOWER,
        "mode paced: arrivals whose answer came after the deadline or never, 0 to 1",
        has_interval=True,
    ),
    MetricSpec("paced_miss_runs", "count", Better.LOWER, "mode paced: how often misses began, one or more in a row"),
    MetricSpec("paced_miss_run_max", "count", Better.LOWER, "mode paced: most misses in a row"),
    MetricSpec("paced_queued_share", "share", Better.LOWER, "mode paced: arrivals that found another one before them"),
    MetricSpec("paced_busy_share", "share", Better.NEITHER, "mode paced: share of the time in which it inferred"),
    MetricSpec("jitter_ms", "ms", Better.LOWER, "mode paced: mean difference between responses of neighbours"),
    MetricSpec(
        "after_idle_p50_ms",
        "ms",
        Better.LOWER,
        "mode paced: e2e of inferences before which it had rested for longer than one takes: median",
    ),
    MetricSpec("back_to_back_p50_ms", "ms", Better.LOWER, "mode paced: e2e at the end of the warm-up, without pauses"),
    MetricSpec("wake_error_p50_ms", "ms", Better.LOWER, "mode paced: how late the loop itself woke up: median"),
    MetricSpec("wake_error_max_ms", "ms", Better.LOWER, "mode paced: how late the loop itself woke up: maximum"),
)

_ACCURACIES = (
    MetricSpec("accuracy", "share", Better.HIGHER, "top-1 on the evaluation data, 0 to 1; over `accuracy_n` samples"),
    MetricSpec("accuracy_top5", "share", Better.HIGHER, "top-5 on the evaluation data, 0 to 1"),
    MetricSpec("mean_abs_error", "1", Better.LOWER, "mean |output - label| on the evaluation data"),
    MetricSpec("iou", "share", Better.HIGHER, "intersection over union, by a function of the job"),
    MetricSpec("mean_ap", "share", Better.HIGHER, "mean average precision, by a function of the job"),
    MetricSpec("score", "1", Better.HIGHER, "what a function of the job says of the evaluation data", signed=True),
)
ACCURACIES = tuple(metric.name for metric in _ACCURACIES)

METRICS = (
    *_latencies(),
    MetricSpec("throughput_per_s", "1/s", Better.HIGHER, "items (inferences x batch) per second of the timed window"),
    *_ACCURACIES,
    *(
        MetricSpec(name, unit, Better.NEITHER, f"the device's best products of {of} by that runtime, measured")
        for name, unit, of in (
            ("matmul_gflop_per_s", "GFLOP/s", "float32 matrices"),
            ("matmul_tf32_gflop_per_s", "GFLOP/s", "float32 matrices with TF32 on"),
            ("matmul_fp16_gflop_per_s", "GFLOP/s", "float16 matrices"),
            ("matmul_int8_gop_per_s", "GOP/s", "int8 matrices"),
        )
    ),
    MetricSpec(
        "copy_gb_per_s",
        "GB/s",
        Better.NEITHER,
        "the device's best rate of bytes read and written in its memory, measured",
    ),
    MetricSpec("dla_time_share", "share", Better.NEITHER, "a DLA's share of the layers' time, 0 to 1; none: no DLA"),
    *_PACED,
    *TELEMETRY,
    MetricSpec("layer_count", "count", Better.NEITHER, "layers that ran in the engine, about as many as launches"),
    MetricSpec("soak_s", "s", Better.NEITHER, "work under load before the timing, until the temperature was steady"),
    MetricSpec(
        "soak_c", CELSIUS, Better.NEITHER, "the hottest zone when that was so; without it: at the limit", signed=True
    ),
    *_stages(),
)
COLUMNS = tuple(column for metric in METRICS for column in metric.columns)
UNITS = {metric.name: metric.unit for metric in METRICS}
NAMES = frozenset(UNITS)
