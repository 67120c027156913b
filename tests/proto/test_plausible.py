"""Numbers that cannot be are found, and none that can is taken for one."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from jetfleet.plausible import impossible_number
from jetfleet.v1.task_pb2 import (
    PROVENANCE_MEASURED,
    PROVENANCE_SIMULATED,
    Built,
    Estimate,
    Interleaved,
    Measured,
    Measurement,
    Outcome,
    PairedRun,
    Round,
    TensorCheck,
)

METRICS = {
    "p50_ms": Estimate(value=2.0, low=1.9, high=2.1),
    "p90_ms": Estimate(value=2.5),
    "p95_ms": Estimate(reason="n=9 < 72"),
    "p99_ms": Estimate(value=3.0),
    "mean_ms": Estimate(value=2.1),
    "std_ms": Estimate(value=0.2),
    "min_ms": Estimate(value=1.0),
    "max_ms": Estimate(value=4.0),
    "throughput_per_s": Estimate(value=480.0),
    "accuracy": Estimate(value=0.9),
    "dla_time_share": Estimate(value=0.0),
    "compute_min_ms": Estimate(value=0.5),
    "compute_p50_ms": Estimate(value=0.9),
    "residual_p50_ms": Estimate(value=-0.001),
    "temperature_max_c": Estimate(value=-20.0),
    "power_mean_w": Estimate(value=7.0, low=6.9, high=7.1),
    "score": Estimate(value=-3.0),
    "of_a_newer_agent": Estimate(value=-7.0),
}


def sound() -> Measurement:
    found = Measurement(
        subject_index=0,
        provenance=PROVENANCE_MEASURED,
        n=500,
        metrics=METRICS,
        rounds=[Round(n=250, p50_ms=2.0, mean_ms=2.1), Round(n=250, p50_ms=2.0, mean_ms=2.1)],
        checks=[TensorCheck(tensor="y", passed=True, cosine=1.0000001, max_abs=math.inf, top1_agreement=1.0)],
        accuracy_n=100,
    )
    found.window.FromSeconds(1)
    return found


def fault(measurement: Measurement, runtime: str = "onnxruntime") -> str:
    return impossible_number(Outcome(measured=Measured(measurements=[measurement])), runtimes=[runtime])


def test_a_sound_measurement_passes() -> None:
    assert fault(sound()) == ""
    assert impossible_number(Outcome(built=Built())) == ""


def test_one_sample_and_none_pass() -> None:
    same = {name: Estimate(value=1.1) for name in ("p50_ms", "mean_ms", "min_ms", "max_ms")}
    assert fault(Measurement(provenance=PROVENANCE_MEASURED, n=1, metrics=same)) == ""
    absent = {"p50_ms": Estimate(reason="not timed")}
    assert fault(Measurement(provenance=PROVENANCE_MEASURED, n=0, metrics=absent)) == ""
    assert fault(Measurement(provenance=PROVENANCE_MEASURED, n=900, metrics=absent)) == ""  # an aggregate


def put(name: str, value: float) -> Callable[[Measurement], None]:
    """Sets one number of a sound measurement."""

    def change(item: Measurement) -> None:
        first, _, last = name.partition(".")
        if first in METRICS:
            setattr(item.metrics[first], last or "value", value)
        else:
            setattr(getattr(item, first) if last else item, last or first, value)

    return change


def of_run(**values: Any) -> Callable[[Measurement], None]:
    """Adds a second fresh process to a sound one."""

    def change(item: Measurement) -> None:
        item.runs.add(index=0, n=250, metrics={"p50_ms": 2.0}, within_low_ms=1.9, within_high_ms=2.1)
        item.runs.add(index=1, **{"n": 250, **values})

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put("p50_ms", -1.0), "p50_ms = -1"),
        (put("p50_ms", 0.0), "p50_ms = 0"),
        (put("p50_ms", math.inf), "p50_ms = inf"),
        (put("p99_ms", math.nan), "p99_ms = nan"),
        (put("p50_ms.low", math.nan), "outside of its interval"),
        (put("p50_ms.high", 1.5), "outside of its interval"),
        (put("n", 0), "a p50 of no samples"),
        (put("n", 501), "n = 501 and rounds of 500"),
        (put("min_ms", 5.0), "min = 5 ms above p50 = 2 ms"),
        (put("max_ms", 2.0), "p99 = 3 ms above max = 2 ms"),
        (put("p90_ms", 3.5), "p90 = 3.5 ms above p99 = 3 ms"),
        (put("mean_ms", 40.0), "mean = 40 ms outside"),
        (put("std_ms", -1.0), "std_ms = -1"),
        (put("throughput_per_s", math.inf), "throughput_per_s = inf"),
        (put("window.seconds", -3), "a window of -3 s"),
        (put("accuracy", 7.0), "accuracy = 7"),
        (put("accuracy", math.nan), "accuracy = nan"),
        (put("accuracy_n", 0), "an accuracy on no samples"),
        (put("dla_time_share", 1.5), "dla_time_share = 1.5"),
        (put("provenance", PROVENANCE_SIMULATED), "a provenance that onnxruntime does not have"),
        (put("subject_index", 1), "not in the task"),
        (lambda item: item.checks[0].MergeFrom(TensorCheck(cosine=2.0)), "y: cosine = 2"),
        (lambda item: item.checks[0].MergeFrom(TensorCheck(equal_share=-0.1)), "y: equal_share = -0.1"),
        (lambda item: item.checks[0].MergeFrom(TensorCheck(max_rel=-1.0)), "y: max_rel = -1"),
        (lambda item: item.rounds[0].MergeFrom(Round(p50_ms=-2.0)), "a round of 250 samples with p50 = -2 ms"),
        (put("residual_p50_ms", math.nan), "residual_p50_ms = nan"),
        (put("compute_p50_ms", 0.1), "compute_min = 0.5 ms above compute_p50 = 0.1 ms"),
        (put("of_a_newer_agent", math.inf), "of_a_newer_agent = inf"),
        (lambda item: item.metrics["p99_ms"].CopyFrom(Estimate(low=1.0)), "p99_ms has an interval and no value"),
        (put("p50_ms.low", -math.inf), "outside of its interval"),
        (put("power_mean_w", -3.0), "power_mean_w = -3"),
        (put("temperature_max_c", math.nan), "temperature_max_c = nan"),
        (put("score", math.inf), "score = inf"),
        (of_run(metrics={"p50_ms": -1.0}), "run 1: p50_ms = -1"),
        (of_run(metrics={"p50_ms": math.inf}), "run 1: p50_ms = inf"),
        (of_run(metrics={"mean_ms": math.nan}), "run 1: mean_ms = nan"),
        (of_run(metrics={"accuracy": 7.0}), "run 1: accuracy = 7"),
        (of_run(metrics={"p50_ms": 3.0, "p99_ms": 2.0}), "run 1: p50 = 3 ms above p99 = 2 ms"),
        (of_run(metrics={"compute_min_ms": 3.0, "compute_max_ms": 2.0}), "run 1: compute_min = 3 ms above compute_max"),
        (of_run(n=0, metrics={"p50_ms": 1.0}), "run 1: a p50 of no samples"),
        (of_run(load=Duration(seconds=-2)), "run 1: a load of -2 s"),
        (of_run(window=Duration(seconds=-2)), "run 1: a window of -2 s"),
        (of_run(within_low_ms=3.0, within_high_ms=2.0), "run 1: a p50 within 3 to 2 ms"),
        (of_run(within_high_ms=math.inf), "run 1: a p50 within inf ms"),
    ],
)
def test_each_number_that_cannot_be_is_told(change: Callable[[Measurement], None], told: str) -> None:
    item = sound()
    change(item)
    assert told in fault(item)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Interleaved(runs=[PairedRun(index=3, ratios={"p50_ms": 0.9})]), ""),
        (Interleaved(runs=[PairedRun(index=3, ratios={"p50_ms": -0.9})]), "process 3: a ratio of p50_ms of -0.9"),
        (Interleaved(runs=[PairedRun(index=3, ratios={"p50_ms": math.nan})]), "process 3: a ratio of p50_ms of nan"),
        (
            Interleaved(runs=[PairedRun(index=3, ratios={"p50_ms": math.inf}, left_out="a gap of 1 s")]),
            "process 3: a ratio of p50_ms of inf",
        ),
        (Interleaved(margin=math.nan, confidence=0.99), "ratios within a margin of nan at a confidence of 0.99"),
        (Interleaved(margin=0.01, confidence=99), "ratios within a margin of 0.01 at a confidence of 99"),
    ],
)
def test_ratios_are_above_zero_and_a_confidence_below_one(found: Interleaved, told: str) -> None:
    assert impossible_number(Outcome(measured=Measured(interleaved=found))) == told


def test_what_the_simulated_runtime_ran_is_simulated() -> None:
    assert "provenance" in fault(sound(), runtime="simulated")
    item = sound()
    item.provenance = PROVENANCE_SIMULATED
    assert fault(item, runtime="simulated") == ""


def test_a_build_takes_time() -> None:
    built = Built()
    built.build_time.FromSeconds(-1)
    assert impossible_number(Outcome(built=built)) == "a build time of -1 s"
