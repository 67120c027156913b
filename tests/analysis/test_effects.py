"""What a difference is measured by: turns before runs; tails, accuracy and throughput by their own statistics."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from controller.analysis.compare import compare
from controller.analysis.effects import comparable_metric
from controller.analysis.history import histories
from controller.model.comparison import Answer, Axis, Comparison, Source
from controller.model.interleaved import Interleaved, PairedRun
from controller.model.result import Estimate, Flag, FlagKind, Row, Schedule
from jetfleet.errors import BadInput
from tests.analysis.runs import repeats, row, run


def in_turns(ratios: list[float], *, looks: tuple[int, ...] = (5, 8, 12), task: int = 1) -> list[Row]:
    """The two rows of one task: a base and a candidate, on a machine whose p50 moves by 10 % per process."""
    noise = random.Random(1)
    runs = tuple(PairedRun(index, bool(index % 2), {"p50_ms": ratio}) for index, ratio in enumerate(ratios))
    pair = Interleaved(runs, looks, margin=0.01, confidence=0.99)
    found = []
    for index, key in ((0, "base"), (1, "candidate")):
        wild = [10.0 * math.exp(noise.gauss(0, 0.1)) for _ in ratios]
        made = row(10 * task + index, wild, job_id=task, task_id=task, variant_key=key, engine_key=key)
        measured = replace(made.measurement, subject_index=index)
        found.append(
            replace(made, measurement=measured, schedule=Schedule.INTERLEAVED, interleaved=pair if index else None)
        )
    return found


def one(rows: list[Row], **options: Any) -> Comparison:
    (found,) = compare(rows, **options).comparisons
    return found


NOISE = (0.004, -0.003, 0.001, -0.002, 0.002)


@pytest.mark.parametrize(
    ("ratio", "answer"),
    [
        (1.0, Answer.SAME),
        (1.05, Answer.SLOWER),
        (0.95, Answer.FASTER),
        (1.02, Answer.SLOWER),
        (1.007, Answer.CANNOT_TELL),
    ],
)
def test_what_was_timed_in_turns_is_compared_by_its_ratios(ratio: float, answer: Answer) -> None:
    found = one(in_turns([ratio + noise for noise in NOISE]))
    assert (found.answer, found.effect and found.effect.source) == (answer, Source.INTERLEAVED)
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(ratio + 0.0004, abs=1e-4)
    assert found.floor is None
    assert found.baseline is not None
    assert (found.baseline.variant_key, found.row.variant_key) == ("base", "candidate")


def flagged(rows: list[Row], *kinds: FlagKind) -> list[Row]:
    flags = tuple(Flag(kind, "seen") for kind in kinds)
    return [replace(item, measurement=replace(item.measurement, flags=flags)) for item in rows]


def test_what_moves_both_alike_does_not_void_their_ratio_and_what_is_wrong_with_one_does() -> None:
    rows = in_turns([1.05 + noise for noise in NOISE])
    found = one(flagged(rows, FlagKind.NOT_REPEATABLE, FlagKind.INTERFERED))
    assert found.answer is Answer.SLOWER
    assert found.notes == ("INTERFERED, NOT_REPEATABLE: of both alike, for they were timed in turns",)
    wrong = one(flagged(rows, FlagKind.INTERFERED, FlagKind.WRONG_OUTPUT))
    assert (wrong.answer, wrong.reason) == (Answer.NOT_VALID, "WRONG_OUTPUT: seen")
    apart = one(flagged([row(1), row(2)], FlagKind.INTERFERED))
    assert apart.answer is Answer.NOT_VALID


def test_turned_round_the_ratio_is_too() -> None:
    found = one(in_turns([1.05 + noise for noise in NOISE]), baseline="candidate")
    assert found.answer is Answer.FASTER
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(1 / 1.0504, abs=1e-4)


def test_who_looked_early_pays_for_it() -> None:
    ratios = [1.0 + 0.010 + noise for noise in NOISE]
    planned = one(in_turns(ratios, looks=(5, 8, 12, 20, 30)))
    once = one(in_turns(ratios, looks=(5,)))
    assert planned.effect
    assert once.effect
    assert planned.effect.p_value == pytest.approx(8 * once.effect.p_value)
    assert planned.answer is Answer.CANNOT_TELL
    assert once.answer is Answer.SLOWER
    assert planned.advice.startswith("about ")
    assert planned.advice.endswith(" s")


def test_the_rule_by_which_the_agent_stopped_is_the_rule_of_the_answer() -> None:
    base, candidate = in_turns([1.015 + noise for noise in NOISE])
    assert candidate.interleaved
    wide = replace(candidate, interleaved=replace(candidate.interleaved, margin=0.04, confidence=0.9))
    found = compare([base, wide])
    assert (found.margin, found.false_alarms) == (0.04, pytest.approx(0.1))
    assert [item.answer for item in found.comparisons] == [Answer.SAME]
    asked = compare([base, wide], margin=0.01, false_alarms=0.05)
    assert (asked.margin, asked.false_alarms) == (0.01, 0.05)
    assert [item.answer for item in asked.comparisons] == [Answer.SLOWER]
    elsewhere = [row(50 + index, job_id=1, device="nano-2", variant_key=key) for index, key in enumerate(("base", "x"))]
    mixed = compare([base, wide, *elsewhere], by=Axis.VARIANT)
    assert len(mixed.comparisons) == 2
    assert mixed.margin == 0.01


def test_processes_that_stood_still_do_not_count() -> None:
    base, candidate = in_turns([1.05 + noise for noise in NOISE])
    assert candidate.interleaved
    first, *rest = candidate.interleaved.runs
    broken = replace(first, ratios={"p50_ms": 99.0}, left_out="paused")
    found = one([base, replace(candidate, interleaved=replace(candidate.interleaved, runs=(broken, *rest)))])
    assert found.answer is Answer.SLOWER
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(1.05, abs=0.002)
    alone = one([base, replace(candidate, interleaved=replace(candidate.interleaved, runs=(broken, rest[0])))])
    assert (alone.answer, alone.reason) == (
        Answer.CANNOT_TELL,
        "no interval: one process only counts",
    )


def test_each_pair_is_held_against_its_own_base() -> None:
    first, second = in_turns([1.05 + noise for noise in NOISE]), in_turns([0.9 + n for n in NOISE], task=2)
    rows = [replace(item, job_id=1) for item in (*first, *second)]
    rows[3] = replace(rows[3], variant_key="other")
    found = {item.row.variant_key: item for item in compare(rows, by=Axis.VARIANT).comparisons}
    assert {key: item.answer for key, item in found.items()} == {"candidate": Answer.SLOWER, "other": Answer.FASTER}
    assert all(item.baseline and item.baseline.task_id == item.row.task_id for item in found.values())


def test_the_candidates_of_two_jobs_are_two_benches() -> None:
    rows = [*in_turns([1.05 + noise for noise in NOISE]), *in_turns([1.0 + noise for noise in NOISE], task=2)]
    found = compare(rows, by=Axis.JOB, baseline="1").comparisons
    assert {item.effect.source for item in found if item.effect} == {Source.RUNS}


def with_tails(number: int, p99_ms: list[float]) -> Row:
    made = row(number)
    runs = tuple(run(index, p50_ms=10.0, p99_ms=value) for index, value in enumerate(p99_ms))
    metrics = {"p50_ms": Estimate(10.0), "p99_ms": Estimate(sorted(p99_ms)[len(p99_ms) // 2])}
    return replace(made, measurement=replace(made.measurement, runs=runs, metrics=metrics))


def test_tails_are_compared_by_their_own_statistic() -> None:
    rows = [with_tails(1, [12.0, 12.1, 11.9, 12.0, 12.05]), with_tails(2, [18.0, 18.2, 17.9, 18.1, 18.0])]
    quiet = [with_tails(100 + n, [12.0 + 0.01 * (n % 2)] * 5) for n in range(8)]
    about_p50 = one(rows, history=quiet)
    assert about_p50.answer is Answer.SAME
    (tail,) = about_p50.others
    assert (tail.metric, tail.change.value) == ("p99_ms", pytest.approx(1.5))
    assert tail.change.low is not None
    found = one(rows, history=quiet, metric="p99_ms")
    assert (found.answer, found.effect and found.effect.metric) == (Answer.SLOWER, "p99_ms")
    none = one([row(1), row(2)], metric="p99_ms")
    assert (none.answer, none.reason) == (Answer.INCOMPARABLE, "no p99_ms to compare: unknown")


def test_one_run_without_a_tail_leaves_the_others() -> None:
    rows = [with_tails(1, [12.0, 12.1, 11.9, 12.0]), with_tails(2, [24.0])]
    found = one(rows, metric="p99_ms")
    assert found.answer is Answer.CANNOT_TELL
    assert "in one process" in found.reason


def answering(number: int, accuracy: float, n: int, **changes: Any) -> Row:
    made = row(number, **changes)
    metrics = {"p50_ms": Estimate(10.0), "accuracy": Estimate(accuracy)}
    return replace(made, measurement=replace(made.measurement, metrics=metrics, accuracy_n=n))


@pytest.mark.parametrize(
    ("accuracy", "n", "answer"),
    [
        (0.70, 1000, Answer.WORSE),
        (0.90, 1000, Answer.BETTER),
        (0.80, 50_000, Answer.SAME),
        (0.79, 1000, Answer.CANNOT_TELL),
    ],
)
def test_accuracy_differs_by_points(accuracy: float, n: int, answer: Answer) -> None:
    found = one([answering(1, 0.8, n), answering(2, accuracy, n)], metric="accuracy")
    assert (found.answer, found.effect and found.effect.source) == (answer, Source.ITEMS)
    assert found.effect is not None
    assert found.effect.in_points
    assert found.effect.change.value == pytest.approx(accuracy - 0.8)
    assert found.effect.change.low is not None
    assert found.effect.change.low < accuracy - 0.8


def test_accuracy_and_latency_stand_beside_each_other() -> None:
    found = one([answering(1, 0.8, 1000), answering(2, 0.7, 1000)], history=repeats(first=100))
    assert found.answer is Answer.SAME
    (accuracy,) = found.others
    assert (accuracy.metric, accuracy.change.value) == ("accuracy", pytest.approx(-0.1))
    assert found.adjusted_p == pytest.approx(found.effect.p_value if found.effect else None)


def test_throughput_is_of_items_already_and_more_is_better() -> None:
    def serving(number: int, per_s: float, batch: int) -> Row:
        made = row(number, job_id=1, variant_key=f"b{batch}", batch=batch)
        runs = tuple(run(index, throughput_per_s=per_s * (1 + 0.001 * index)) for index in range(5))
        metrics = {"p50_ms": Estimate(10.0), "throughput_per_s": Estimate(per_s)}
        return replace(made, measurement=replace(made.measurement, runs=runs, metrics=metrics))

    found = one([serving(1, 100.0, 1), serving(2, 300.0, 8)], metric="throughput_per_s")
    assert (found.answer, found.effect and found.effect.per_item) == (Answer.FASTER, False)
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metric": "p98_ms"}, "there is no metric 'p98_ms'"),
        ({"metric": "dla_time_share"}, "dla_time_share is not something to compare by"),
        ({"metric": "temperature_max_c"}, "temperature_max_c is not something to compare by"),
        ({"margin": float("nan")}, "nan is not a valid margin"),
        ({"margin": -0.1}, "-0.1 is not a valid margin"),
        ({"false_alarms": 0.0}, "0.0 is not a valid chance"),
        ({"false_alarms": float("nan")}, "nan is not a valid chance"),
    ],
)
def test_questions_that_cannot_be_asked(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        compare([row(1), row(2)], **options)


def test_fp32_of_the_smallest_batch_is_the_baseline() -> None:
    from controller.model.job import Precision

    rows = [
        row(number, job_id=1, variant_key=f"a-{precision.value}-b{batch}-gpu", precision=precision, batch=batch)
        for number, (precision, batch) in enumerate(
            [(Precision.INT8, 1), (Precision.FP32, 8), (Precision.FP32, 2), (Precision.FP16, 1)]
        )
    ]
    assert compare(rows, by=Axis.VARIANT).baseline == "a-fp32-b2-gpu"
    assert compare([rows[0], rows[3]], by=Axis.VARIANT).baseline == "a-fp16-b1-gpu"


def test_facts_that_keep_nothing_apart_are_named_all_the_same() -> None:
    found = one(
        [row(1, facts={"os": "a", "kernel": "5.15"}), row(2, facts={"os": "a", "kernel": "6.8", "python": "3.12"})]
    )
    assert found.notes == ("kernel is 6.8, 5.15 in the baseline",)


def with_metrics(number: int, accuracy_n: int = 0, **values: float) -> Row:
    made = row(number)
    metrics = {"p50_ms": Estimate(10.0), **{name: Estimate(value) for name, value in values.items()}}
    return replace(made, measurement=replace(made.measurement, metrics=metrics, accuracy_n=accuracy_n))


def test_shares_that_are_not_of_samples_have_no_interval() -> None:
    late = one([with_metrics(1, 100, paced_miss_share=0.0), with_metrics(2, 100, paced_miss_share=0.2)])
    (effect,) = late.others
    assert (effect.change.value, effect.change.low, effect.in_points) == (pytest.approx(0.2), None, True)
    asked = one(
        [with_metrics(1, 100, paced_miss_share=0.0), with_metrics(2, 100, paced_miss_share=0.2)],
        metric="paced_miss_share",
    )
    assert (asked.answer, asked.reason) == (
        Answer.CANNOT_TELL,
        "no interval: paced_miss_share is not of evaluated samples",
    )


def test_means_between_0_and_1_are_no_surer_than_shares_and_errors_have_no_interval() -> None:
    rows = [with_metrics(1, 500, iou=0.8, mean_abs_error=0.1), with_metrics(2, 500, iou=0.6, mean_abs_error=0.2)]
    found = {effect.metric: effect for effect in one(rows).others}
    assert one(rows, metric="iou").answer is Answer.WORSE
    assert found["iou"].change.low is not None
    assert (found["mean_abs_error"].change.value, found["mean_abs_error"].change.low) == (2.0, None)
    assert one(rows, metric="mean_abs_error").answer is Answer.CANNOT_TELL


def test_energy_is_of_an_inference_and_compared_per_item_and_by_runs() -> None:
    def using(number: int, energy_mj: float, batch: int) -> Row:
        made = row(number, job_id=1, variant_key=f"b{batch}", batch=batch)
        runs = tuple(run(index, p50_ms=10.0, energy_mj=energy_mj * (1 + 0.001 * index)) for index in range(5))
        metrics = {"p50_ms": Estimate(10.0), "energy_mj": Estimate(energy_mj)}
        return replace(made, measurement=replace(made.measurement, runs=runs, metrics=metrics))

    found = one([using(1, 100.0, 1), using(2, 400.0, 8)], metric="energy_mj")
    assert found.answer is Answer.BETTER
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(0.5)
    assert found.ratio.low is not None


@pytest.mark.parametrize(("word", "name"), [("p99", "p99_ms"), ("latency", "p50_ms"), ("energy", "energy_mj")])
def test_a_metric_is_called_as_gate_and_recommend_call_it(word: str, name: str) -> None:
    rows = [row(job, [10.0, 10.1, 10.2], job_id=job) for job in (1, 2)]
    assert compare(rows, metric=word).metric == name
    assert all(item.metric == name for item in histories(rows, word))


def test_a_word_is_not_told_as_unknown_and_meant_at_once() -> None:
    with pytest.raises(BadInput) as found:
        comparable_metric("memory")
    assert "memory" not in found.value.expected.split(", ")
