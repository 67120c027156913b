"""What a budget says of a measurement: kept only with the whole interval, and by a number that may be trusted."""

import pytest

from agent.bundle.acceptance import held
from jetfleet.v1.task_pb2 import FLAG_KIND_INTERFERED, Estimate, Flag, Measurement


def verdict(estimate: Estimate | None, *, name: str = "p50_ms", limit: float = 10.0, flags: tuple[Flag, ...] = ()):
    found = Measurement(flags=flags)
    if estimate is not None:
        found.metrics[name].CopyFrom(estimate)
    (made,) = held(found, {name: limit})
    return made.kept, made.reason


@pytest.mark.parametrize(
    ("estimate", "kept", "reason"),
    [
        (Estimate(value=9.0, low=8.9, high=9.1), True, ""),
        (Estimate(value=9.9, low=9.7, high=10.1), None, "its interval reaches 10.1"),
        (Estimate(value=10.1, low=9.9, high=10.3), False, "above the limit"),
        (Estimate(value=9.0, reason="one run"), None, "one run"),
        (Estimate(reason="n=10 < 368"), None, "n=10 < 368"),
        (None, None, "not measured"),
    ],
)
def test_a_limit_from_above(estimate: Estimate | None, kept: bool | None, reason: str) -> None:
    assert verdict(estimate) == (kept, reason)


def test_a_limit_from_below_where_more_is_better() -> None:
    assert verdict(Estimate(value=100.0), name="throughput_per_s", limit=90.0) == (True, "")
    assert verdict(Estimate(value=80.0), name="throughput_per_s", limit=90.0) == (False, "below the limit")


def test_a_flagged_measurement_keeps_nothing() -> None:
    flags = (Flag(kind=FLAG_KIND_INTERFERED, evidence="others ran"),)
    assert verdict(Estimate(value=9.0, low=8.9, high=9.1), flags=flags) == (None, "INTERFERED: others ran")
