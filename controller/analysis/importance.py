"""Comparisons in the order in which a reader wants them: what became worse, what became better, the rest."""

from collections.abc import Iterable, Sequence

from controller.model.comparison import Answer, Comparison

_KINDS = (
    frozenset({Answer.SLOWER, Answer.WORSE}),
    frozenset({Answer.FASTER, Answer.BETTER}),
    frozenset({Answer.CANNOT_TELL, Answer.INCOMPARABLE, Answer.NOT_VALID}),
    frozenset({Answer.SAME}),
)


def by_importance(found: Iterable[Comparison]) -> list[Comparison]:
    """Of each kind the largest change first."""
    return sorted(found, key=lambda item: (_kind(item), -_change(item)))


def most_important(found: Sequence[Comparison], most: int) -> list[Comparison]:
    """At most so many, an equal share of each kind as far as it has so many; by importance."""
    kinds = [[item for item in by_importance(found) if _kind(item) == kind] for kind in range(len(_KINDS))]
    taken: dict[int, list[Comparison]] = {}
    room = most
    fewest_first = sorted(range(len(kinds)), key=lambda kind: len(kinds[kind]))
    for place, kind in enumerate(fewest_first):
        taken[kind] = kinds[kind][: room // (len(kinds) - place)]
        room -= len(taken[kind])
    return [item for kind in range(len(kinds)) for item in taken[kind]]


def _kind(item: Comparison) -> int:
    return next(index for index, answers in enumerate(_KINDS) if item.answer in answers)


def _change(item: Comparison) -> float:
    ratio = item.ratio.value if item.ratio else None
    return 0.0 if ratio is None else abs(ratio - 1)
