"""What a bench is a repeat of, and what repeats make of its interval."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from controller.core.repeats import PastValue, as_repeated, repeated_metrics, repeats_of
from controller.model.result import Estimate, Measurement, Provenance, Run
from testing import measurements

RUNS = (10.0, 10.01, 9.99, 10.0, 10.0)


def bench(*, value: float = 10.0, **changes: Any) -> Measurement:
    """Five processes that agree to a thousandth."""
    runs = tuple(
        Run(index, 300, 1.5, 0.3, 60, 0.4, {"p50_ms": value * run / 10.0, "throughput_per_s": 1000 / value})
        for index, run in enumerate(RUNS)
    )
    metrics = {
        "p50_ms": Estimate(value, value * 0.999, value * 1.001),
        "accuracy": Estimate(0.5, 0.4, 0.6),
        "mean_ms": Estimate(value),
    }
    return replace(measurements.measurement(runs=runs), **{"metrics": metrics, **changes})


def half_width(item: Measurement) -> float:
    assert item.p50_ms.value
    assert item.p50_ms.high
    return math.log(item.p50_ms.high / item.p50_ms.value)


def past(*values: float, of: str = "own") -> list[PastValue]:
    return [PastValue(of, value) for value in values]


def test_while_nothing_was_repeated_benches_are_taken_to_differ_by_two_percent() -> None:
    found = as_repeated(bench(), "own", {})
    assert found.repeats == 0
    assert half_width(found) == pytest.approx(2.447 * math.sqrt(2) * 0.02, rel=1e-3), "t of 6 degrees of freedom"


def test_a_quiet_device_keeps_the_interval_of_the_runs() -> None:
    found = as_repeated(bench(), "own", {"p50_ms": past(*[10.0 + 0.001 * (k % 2) for k in range(12)])})
    assert found.repeats == 13
    assert found.p50_ms == bench().p50_ms


def test_a_device_that_drifts_widens_it_to_what_its_repeats_differ_by() -> None:
    chance = random.Random(0)
    values = [10.0 * math.exp(chance.gauss(0, 0.05)) for _ in range(39)]
    found = as_repeated(bench(), "own", {"p50_ms": past(*values)})
    assert half_width(found) == pytest.approx(2.02 * math.sqrt(2) * 0.05, rel=0.2)


def test_what_other_things_repeated_counts_until_its_own_repeats_are_enough() -> None:
    others = [*past(*[20.0, 24.0] * 10, of="other")]
    few = as_repeated(bench(), "own", {"p50_ms": [*others, *past(10.0, 10.001)]})
    enough = as_repeated(bench(), "own", {"p50_ms": [*others, *past(*[10.0, 10.001] * 3)]})
    assert few.repeats == 23
    assert half_width(few) > 0.2
    assert enough.repeats == 7
    assert half_width(enough) < 0.002


def test_its_own_value_counts_too() -> None:
    """One that differs from all before shows that they can."""
    calm = {"p50_ms": past(*[10.0] * 8)}
    assert half_width(as_repeated(bench(value=11.0), "own", calm)) > 5 * half_width(bench())


def test_runs_that_differ_more_than_repeats_are_not_narrowed() -> None:
    wild = bench(metrics={"p50_ms": Estimate(10.0, 9.0, 11.0)})
    found = as_repeated(wild, "own", {"p50_ms": past(*[10.0] * 12)})
    assert (found.p50_ms.low, found.p50_ms.high) == (9.0, 11.0)


def test_an_assumption_is_no_less_than_what_runs_show() -> None:
    runs = tuple(
        replace(run, metrics={"p50_ms": value}) for run, value in zip(bench().runs, (9, 11, 10, 9, 11), strict=True)
    )
    assert half_width(as_repeated(bench(runs=runs), "own", {})) > 2 * half_width(as_repeated(bench(), "own", {}))


@pytest.mark.parametrize(
    "item",
    [
        bench(provenance=Provenance.SIMULATED),
        bench(runs=bench().runs[:1]),
        bench(runs=()),
        bench(metrics={"p50_ms": Estimate(None, reason="none")}),
    ],
    ids=["simulated", "one process", "not timed", "no value"],
)
def test_what_has_no_interval_of_runs_is_left_as_it_is(item: Measurement) -> None:
    assert repeated_metrics(item) == []
    assert as_repeated(item, "own", {}) == item


def test_shares_of_samples_have_intervals_of_their_own() -> None:
    assert repeated_metrics(bench()) == ["p50_ms"]
    assert as_repeated(bench(), "own", {}).metrics["accuracy"] == Estimate(0.5, 0.4, 0.6)


def test_repeats_share_a_key_and_nothing_else_does() -> None:
    facts = {"gpu": "Orin", "jetpack": "6.2", "memory_free": 10}
    circumstances = {"gpu_clocks": "locked at 1020 MHz", "power_mode": "MAXN"}

    def key(item: Measurement, **changes: Any) -> str:
        return repeats_of(item, **{"device_id": "a", "facts": facts, "task": ("ALONE", "latency", "engine"), **changes})

    first = key(bench(circumstances=circumstances))
    assert key(bench(value=12.0, circumstances=circumstances)) == first
    assert key(bench(circumstances=circumstances), facts={**facts, "memory_free": 20}) == first
    others = {
        key(bench(circumstances=circumstances), device_id="b"),
        key(bench(circumstances=circumstances), facts={**facts, "jetpack": "7.0"}),
        key(bench(circumstances=circumstances), task=("ALONE", "latency", "another engine")),
        key(bench(circumstances=circumstances), task=("ALONE", "paced", "engine")),
        key(bench(circumstances={**circumstances, "power_mode": "15W"})),
        key(bench(circumstances={**circumstances, "cuda_graph": "on"})),
        key(bench(circumstances=circumstances, subject_index=1)),
        key(bench(circumstances=circumstances, provenance=Provenance.SIMULATED)),
    }
    assert len(others | {first}) == 9
