"""What must hold of every decision, whatever was measured."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.analysis.recommendation.pareto import dominates
from controller.analysis.recommendation.recommend import recommend
from controller.model.quantities import read_goals
from controller.model.recommendation import Goals, RecommendationReport
from controller.model.result import Estimate, FlagKind, Row
from tests.analysis.recommendation.fleet import ORIN_NANO, measured

VARIANTS = [f"tensorrt-{precision}-b{batch}-gpu" for precision in ("fp32", "fp16", "int8") for batch in (1, 8)]
values = st.floats(1.0, 100.0)
widths = st.floats(0.0, 0.2)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    kind = draw(st.sampled_from(["known", "known", "known", "no interval", "unknown"]))
    value = draw(values)
    if kind == "unknown":
        return Estimate(None, reason="too few samples")
    if kind == "no interval":
        return Estimate(value, reason="one run")
    return Estimate(value, value * (1 - draw(widths)), value * (1 + draw(widths)))


@st.composite
def fleets(draw: st.DrawFn) -> list[Row]:
    count = draw(st.integers(1, 14))
    return [
        measured(
            number,
            draw(st.sampled_from(VARIANTS)),
            draw(estimates()),
            *draw(st.sampled_from([(), (), (), (FlagKind.THROTTLED,)])),
            device=draw(st.sampled_from(["nano-1", "nano-2"])),
            facts={**ORIN_NANO, "power_mode": draw(st.sampled_from(["15W", "7W"]))},
            p99_ms=draw(estimates()),
            throughput_per_s=draw(estimates()),
            accuracy=draw(st.sampled_from([Estimate(None), Estimate(0.7), Estimate(0.75)])),
        )
        for number in range(1, count + 1)
    ]


goals = st.builds(
    lambda objective, limits: read_goals(objective, limits, where="x"),
    st.sampled_from(["latency", "throughput"]),
    st.dictionaries(st.sampled_from(["p99_ms", "p50_ms", "accuracy"]), st.floats(0.5, 100.0), max_size=2),
)


def winners(report: RecommendationReport) -> list[list[str]]:
    return [[item.label for item in found.winners] for found in report.classes]


@settings(max_examples=40, deadline=None)
@given(fleets(), goals, st.randoms(use_true_random=False))
def test_the_order_of_rows_is_irrelevant(rows: list[Row], goals: Goals, order: random.Random) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)
    assert recommend(shuffled, goals) == recommend(rows, goals)


@settings(max_examples=40, deadline=None)
@given(fleets(), goals)
def test_a_row_that_is_not_valid_changes_no_outcome(rows: list[Row], goals: Goals) -> None:
    best = measured(99, VARIANTS[0], 0.1, FlagKind.WRONG_OUTPUT, p99_ms=0.1, throughput_per_s=1e6)
    assert winners(recommend([*rows, best], goals)) == winners(recommend(rows, goals))


@settings(max_examples=40, deadline=None)
@given(fleets(), goals)
def test_an_unknown_never_wins(rows: list[Row], goals: Goals) -> None:
    unknown = Estimate(None, reason="nobody knows")
    silent = measured(99, "tensorrt-fp16-b99-gpu", unknown, p99_ms=unknown, throughput_per_s=unknown)
    assert winners(recommend([*rows, silent], goals)) == winners(recommend(rows, goals))
    for found in recommend(rows, goals).classes:
        for item in found.winners:
            assert item.estimate(goals.objective).value is not None
            assert all(item.estimate(held.quantity).value is not None for held in goals.constraints)


@settings(max_examples=40, deadline=None)
@given(fleets(), goals, st.floats(0.5, 1.0))
def test_tightening_makes_nobody_keep_what_it_did_not(rows: list[Row], goals: Goals, share: float) -> None:
    tighter = replace(
        goals,
        constraints=tuple(
            replace(held, limit=held.limit * (share if held.quantity.endswith("_ms") else 2 - share))
            for held in goals.constraints
        ),
    )
    for wide, tight in zip(recommend(rows, goals).classes, recommend(rows, tighter).classes, strict=True):
        kept = {item.label for item in wide.winners} | {item.configuration.label for item in wide.runners_up}
        still = {item.label for item in tight.winners} | {item.configuration.label for item in tight.runners_up}
        assert still <= kept


@settings(max_examples=40, deadline=None)
@given(fleets(), goals)
def test_a_dominated_candidate_is_never_the_pick(rows: list[Row], goals: Goals) -> None:
    for found in recommend(rows, goals).classes:
        keeping = [*found.winners, *(item.configuration for item in found.runners_up)]
        axes = (goals.objective, *found.pareto_axes)
        assert not any(dominates(other, found.winners[0], axes) for other in keeping if found.winners)


@settings(max_examples=40, deadline=None)
@given(fleets(), goals)
def test_everybody_is_told_of_once(rows: list[Row], goals: Goals) -> None:
    for found in recommend(rows, goals).classes:
        told = [item.label for item in found.winners]
        told += [item.configuration.label for item in found.runners_up]
        told += [item.configuration.label for item in found.rejected]
        assert len(told) == len(set(told))
        assert bool(found.winners) or bool(found.reason)
