"""What became worse is read first, and no kind of answer is left out for another one."""

from controller.analysis.importance import by_importance, most_important
from controller.model.comparison import Answer, Comparison, Effect
from controller.model.result import Estimate
from tests.analysis.runs import row


def held(answer: Answer, ratio: float | None) -> Comparison:
    effect = None if ratio is None else Effect("p50_ms", ratio, 1.0, Estimate(ratio))
    return Comparison(row(1), row(2), answer, "", effect=effect)


def test_worse_comes_first_and_the_largest_change_before_smaller_ones() -> None:
    found = [
        held(Answer.SAME, 1.001),
        held(Answer.INCOMPARABLE, None),
        held(Answer.FASTER, 0.9),
        held(Answer.FASTER, 0.5),
        held(Answer.SLOWER, 1.1),
        held(Answer.WORSE, 1.3),
        held(Answer.CANNOT_TELL, 1.02),
    ]
    assert [item.answer for item in by_importance(found)] == [
        Answer.WORSE, Answer.SLOWER, Answer.FASTER, Answer.FASTER, Answer.CANNOT_TELL, Answer.INCOMPARABLE, Answer.SAME,
    ]  # fmt: skip
    assert [item.ratio.value for item in by_importance(found)[2:4] if item.ratio] == [0.5, 0.9]


def test_a_few_of_many_are_of_every_kind() -> None:
    found = [held(Answer.SLOWER, 1.1 + index / 1000) for index in range(100)]
    found += [held(Answer.FASTER, 0.9)] * 2 + [held(Answer.SAME, 1.0)] * 50
    shown = most_important(found, 24)
    counts = [sum(item.answer is answer for item in shown) for answer in (Answer.SLOWER, Answer.FASTER, Answer.SAME)]
    assert len(shown) == 24
    assert counts == [11, 2, 11]
    assert shown[0].ratio == Estimate(1.199)
    assert most_important(found[:3], 24) == by_importance(found[:3])
