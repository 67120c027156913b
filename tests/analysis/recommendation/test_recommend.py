"""Which variant wins, by how much, and why the others do not."""

import math

import pytest

from controller.analysis.recommendation.recommend import recommend
from controller.model.quantities import read_goals
from controller.model.recommendation import Bound, ClassRecommendation, Goals
from controller.model.result import Estimate, FlagKind, Row, Schedule
from jetfleet.errors import BadInput
from tests.analysis.recommendation.fleet import ORIN_NANO, around, measured

FP32, FP16, INT8 = (f"tensorrt-{precision}-b1-gpu" for precision in ("fp32", "fp16", "int8"))
FASTEST = Goals("p50_ms")


def one(*rows: Row, goals: Goals = FASTEST) -> ClassRecommendation:
    (found,) = recommend(rows, goals).classes
    return found


def names(found: ClassRecommendation) -> list[str]:
    return [item.variant_key for item in found.winners]


def test_the_fastest_wins_by_a_margin_that_its_interval_supports() -> None:
    found = one(measured(1, FP32, 20.0), measured(2, FP16, 10.0), measured(3, INT8, 8.0))
    assert names(found) == [INT8]
    assert [item.configuration.variant_key for item in found.runners_up] == [FP16, FP32]
    assert found.margin is not None
    both = math.exp(math.hypot(math.log(10 / 9.9), math.log(8.08 / 8)))
    assert (found.margin.value, found.margin.low) == (pytest.approx(1.25), pytest.approx(1.25 / both))
    assert found.reason == "the best of 3 measured"


def test_what_intervals_do_not_tell_apart_is_a_tie() -> None:
    found = one(measured(1, FP16, 10.0), measured(2, INT8, 9.95))
    assert names(found) == [INT8, FP16]
    assert found.reason == f"a tie: the intervals of p50_ms do not tell it from {FP16} in 15W"
    assert found.margin is None


def test_a_constraint_is_kept_with_the_whole_interval_or_not_at_all() -> None:
    goals = read_goals("latency", {"p99_ms": 10.0}, where="constraints")
    found = one(
        measured(1, FP32, 20.0, p99_ms=22.0),
        measured(2, FP16, 9.0, p99_ms=Estimate(9.9, 9.7, 10.2)),
        measured(3, INT8, 8.0, p99_ms=Estimate(None, reason="n=120 < 368")),
        measured(4, "tensorrt-fp16-b2-gpu", 9.5, p99_ms=9.8),
        goals=goals,
    )
    assert names(found) == ["tensorrt-fp16-b2-gpu"]
    assert found.reason == "the only one that keeps every constraint"
    why = {item.configuration.variant_key: item.failed[0] for item in found.rejected}
    assert (why[FP32].bound, why[FP32].reason) == (Bound.NOT_MET, "p99_ms 22 is above 10 by 120.0%")
    assert why[FP16].bound is Bound.NOT_SHOWN
    assert why[FP16].reason == "p99_ms 9.9 is within 10, but its interval reaches 10.2"
    assert why[INT8].bound is Bound.UNKNOWN
    assert why[INT8].reason == "p99_ms unknown: n=120 < 368"


def test_a_number_without_its_interval_keeps_no_deadline() -> None:
    found = one(
        measured(1, FP16, Estimate(5.0, reason="one run")), goals=read_goals("p50_ms", {"p50_ms": 9}, where="x")
    )
    assert found.winners == ()
    assert found.rejected[0].failed[0].reason == "p50_ms 5 is not shown: one run"
    assert found.reason == "no variant keeps every constraint"


def test_nobody_measured_the_objective() -> None:
    found = one(measured(1, FP16, 5.0), goals=Goals("throughput_per_s"))
    assert (found.winners, found.reason) == ((), "nobody measured throughput_per_s")


def test_more_is_better_where_the_metric_says_so() -> None:
    goals = read_goals("throughput", {"throughput_per_s": 100.0}, where="x")
    found = one(
        measured(1, FP16, 5.0, throughput_per_s=200.0), measured(2, FP32, 20.0, throughput_per_s=50.0), goals=goals
    )
    assert names(found) == [FP16]
    assert found.rejected[0].failed[0].reason == "throughput_per_s 50 is below 100 by 50.0%"


def test_a_drop_of_accuracy_is_held_against_fp32() -> None:
    goals = read_goals("latency", {"accuracy_drop": 0.01}, where="x")
    found = one(
        measured(1, FP32, 20.0, accuracy=Estimate(0.76)),
        measured(2, FP16, 10.0, accuracy=Estimate(0.758)),
        measured(3, INT8, 8.0, accuracy=Estimate(0.70)),
        goals=goals,
    )
    assert names(found) == [FP16]
    assert found.rejected[0].failed[0].reason == "accuracy_drop 0.06 is above 0.01 by 500.0%"


def test_a_row_that_is_not_valid_changes_nothing_and_is_listed() -> None:
    valid = (measured(1, FP32, 20.0), measured(2, FP16, 10.0))
    found = one(*valid, measured(3, FP16, 1.0, FlagKind.THROTTLED), measured(4, INT8, 2.0, FlagKind.WRONG_OUTPUT))
    assert found.winners == one(*valid).winners
    assert [(item.measurement_id, item.verdict) for item in found.not_valid] == [(3, "THROTTLED"), (4, "WRONG_OUTPUT")]


def test_a_class_is_as_good_as_its_worst_board() -> None:
    found = one(measured(1, FP16, 10.0), measured(2, FP16, 14.0, device="nano-2"), measured(3, INT8, 12.0))
    assert names(found) == [INT8]
    assert found.runners_up[0].configuration.estimate("p50_ms") == around(14.0)
    assert found.notes == (f"{INT8} in 15W was measured on nano-1 only",)


def test_classes_are_told_apart_by_hardware_and_release() -> None:
    other = {**ORIN_NANO, "l4t": "36.5"}
    report = recommend([measured(1, FP16, 10.0), measured(2, INT8, 8.0, facts=other, device="nano-2")], FASTEST)
    assert [(item.device_class, names(item)) for item in report.classes] == [
        ("orin-nano-8gb, L4T 36.4", [FP16]),
        ("orin-nano-8gb, L4T 36.5", [INT8]),
    ]


def test_of_a_tie_the_one_that_another_beats_in_the_rest_is_left_out() -> None:
    found = one(
        measured(1, FP16, 10.0, energy_mj=50.0, accuracy=0.75),
        measured(2, INT8, 9.95, energy_mj=30.0, accuracy=0.75),
    )
    assert names(found) == [INT8]


def test_the_cheapest_mode_that_keeps_the_deadline() -> None:
    rows = [
        measured(number, FP16, p50_ms, facts={**ORIN_NANO, "power_mode": mode}, power_mean_w=power)
        for number, (mode, p50_ms, power) in enumerate([("7W", 30.0, 6.0), ("15W", 15.0, 11.0), ("MAXN", 9.0, 21.0)], 1)
    ]
    found = one(*rows, goals=read_goals("latency", {"p50_ms": 20.0}, where="x"))
    assert found.cheapest_mode is not None
    assert (found.winners[0].power_mode, found.cheapest_mode.power_mode) == ("MAXN", "15W")


def test_what_was_only_measured_in_turns_is_not_called_invalid() -> None:
    found = one(measured(1, FP16, 10.0, schedule=Schedule.INTERLEAVED))
    assert (names(found), found.reason[:29]) == ([], "only measured in turns (--ab)")
    assert one(measured(1, FP16, 10.0, FlagKind.PAUSED)).reason == "no VALID measurement"


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(BadInput, match="there is no metric 'p42_ms'"):
        read_goals("p42_ms", {}, where="--objective")
