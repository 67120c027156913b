"""Several that were timed in turns: each pair has its answer, by the rule that ended it, whatever else was measured."""

from dataclasses import replace

from controller.analysis.compare import compare
from controller.model.comparison import Answer, Source
from controller.model.result import Row
from tests.analysis.runs import row
from tests.analysis.test_effects import NOISE, in_turns


def pair(task: int, base: str, candidate: str, ratio: float, *, margin: float = 0.01) -> list[Row]:
    first, second = in_turns([ratio + noise for noise in NOISE], task=task)
    assert second.interleaved is not None
    return [
        replace(first, job_id=1, variant_key=base, engine_key=base),
        replace(
            second,
            job_id=1,
            variant_key=candidate,
            engine_key=candidate,
            interleaved=replace(second.interleaved, margin=margin),
        ),
    ]


def test_each_two_of_three_variants_have_their_answer() -> None:
    rows = [*pair(1, "a", "b", 1.05), *pair(2, "a", "c", 1.1), *pair(3, "b", "c", 1.048)]
    found = compare(rows).comparisons
    assert [(item.baseline and item.baseline.variant_key, item.row.variant_key) for item in found] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert {item.answer for item in found} == {Answer.SLOWER}
    assert [item.notes for item in found] == [(), (), ("the baseline is b",)]


def test_a_baseline_that_is_named_turns_a_pair_round_and_leaves_the_others_out() -> None:
    rows = [*pair(1, "a", "b", 1.05), *pair(2, "a", "c", 1.1)]
    (found,) = compare(rows, baseline="b").comparisons
    assert (found.row.variant_key, found.answer) == ("a", Answer.FASTER)


def test_turns_go_before_numbers_of_their_own() -> None:
    alone = [row(50, 10.0, job_id=1, variant_key="a"), row(51, 20.0, job_id=1, variant_key="b")]
    (found,) = compare([*alone, *pair(1, "a", "b", 1.05)]).comparisons
    assert found.effect is not None
    assert (found.effect.source, found.answer) == (Source.INTERLEAVED, Answer.SLOWER)


def test_the_newest_of_two_pairs_speaks() -> None:
    (found,) = compare([*pair(1, "a", "b", 1.05), *pair(2, "a", "b", 0.9)]).comparisons
    assert found.row.task_id == 2


def test_the_margin_is_the_one_that_ended_the_processes_unless_somebody_says_another() -> None:
    rows = pair(1, "a", "b", 1.03, margin=0.05)
    own, asked = compare(rows), compare(rows, margin=0.01)
    assert (own.margin, own.comparisons[0].answer) == (0.05, Answer.SAME)
    assert (asked.margin, asked.comparisons[0].answer) == (0.01, Answer.SLOWER)
    assert own.false_alarms == asked.false_alarms
