"""Numbers of several runs as one: of an extreme the extreme, whatever its unit; of what was taken once, that."""

import pytest

from agent.repeat.numbers import estimate_of, merge_metrics
from jetfleet.v1.task_pb2 import Measurement


@pytest.mark.parametrize(
    ("name", "expected"),
    [("max_ms", 47.0), ("compute_max_ms", 47.0), ("temperature_max_c", 47.0), ("min_ms", 40.0), ("h2d_min_ms", 40.0)],
)
def test_the_extreme_of_all_runs(name: str, expected: float) -> None:
    assert estimate_of(name, [40.0, 47.0, 45.0]).value == expected


def test_power_at_rest_is_the_first_runs_and_a_reason_stays_one() -> None:
    first, second, found = Measurement(), Measurement(), Measurement()
    first.metrics["power_idle_w"].value = 2.2
    for part in (first, second):
        part.metrics["energy_mj"].reason = "no readable rail: none"
    merge_metrics(found, first=first, counted=[first, second])
    assert found.metrics["power_idle_w"].value == 2.2
    assert found.metrics["energy_mj"].reason == "no readable rail: none"


def test_a_share_stays_one_and_none_in_any_run_is_no_proof() -> None:
    rare = estimate_of("paced_miss_share", [0.0, 0.0, 0.01, 0.0, 0.02])
    assert (rare.value, rare.low) == (0.0, 0.0)
    assert 0.0 < rare.high < 0.1
    assert estimate_of("paced_miss_share", [0.99, 1.0, 0.98, 1.0, 1.0]).high == 1.0
    never = estimate_of("paced_miss_share", [0.0] * 5)
    assert (never.value, never.HasField("low")) == (0.0, False)
    assert never.reason == "no interval: 0 in all 5 runs"
    assert estimate_of("paced_miss_run_max", [0.0, 7.0, 2.0]).value == 7.0


def test_no_misses_in_any_run_bound_what_there_may_be_by_all_that_was_seen() -> None:
    parts = [Measurement(n=200) for _ in range(5)]
    for part in parts:
        part.metrics["paced_miss_share"].value = 0.0
    found = Measurement()
    merge_metrics(found, first=parts[0], counted=parts)
    share = found.metrics["paced_miss_share"]
    assert (share.value, share.low, share.reason) == (0.0, 0.0, "")
    assert share.high == pytest.approx(3.84 / 1003.84, rel=1e-2)
