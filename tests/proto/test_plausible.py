"""Numbers that cannot be are found, and none that can is taken for one."""

import math
from collections.abc import Callable

import pytest

from jetfleet.plausible import impossible_number
from jetfleet.v1.task_pb2 import (
    PROVENANCE_MEASURED,
    PROVENANCE_SIMULATED,
    Built,
    Estimate,
    Measured,
    Measurement,
    Outcome,
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
    ],
)
def test_each_number_that_cannot_be_is_told(change: Callable[[Measurement], None], told: str) -> None:
    item = sound()
    change(item)
    assert told in fault(item)


def test_what_the_simulated_runtime_ran_is_simulated() -> None:
    assert "provenance" in fault(sound(), runtime="simulated")
    item = sound()
    item.provenance = PROVENANCE_SIMULATED
    assert fault(item, runtime="simulated") == ""


def test_a_build_takes_time() -> None:
    built = Built()
    built.build_time.FromSeconds(-1)
    assert impossible_number(Outcome(built=built)) == "a build time of -1 s"
