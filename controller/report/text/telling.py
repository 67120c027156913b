"""Of very many comparisons those that a person reads: the most telling ones, and how many there are of each answer."""

import math
from collections import Counter
from dataclasses import replace
from heapq import nsmallest

from controller.model.comparison import Answer, Comparison, ComparisonReport
from jetfleet.plural import are, counted

MOST = 200

# What somebody must look at first; what is as it was comes last.
_ORDER = (
    *(Answer.SLOWER, Answer.WORSE, Answer.FASTER, Answer.BETTER),
    *(Answer.NOT_VALID, Answer.INCOMPARABLE, Answer.CANNOT_TELL, Answer.SAME),
)


def most_telling(compared: ComparisonReport, most: int = MOST) -> tuple[ComparisonReport, tuple[str, ...]]:
    """The report with so many comparisons and spreads at most, in its order, and lines that say what was left out."""
    answers, spreads = compared.comparisons, compared.spreads
    lines = []
    if len(answers) > most:
        chosen = nsmallest(most, range(len(answers)), key=lambda index: _rank(answers[index]))
        counts = Counter(item.answer for item in answers)
        told = ", ".join(f"{counts[answer]} {answer.value}" for answer in _ORDER if counts[answer])
        lines.append(
            f"{most} of {counted(len(answers), 'comparison')} {are(most)} shown, the most telling ones; "
            "--json and --csv: all"
        )
        lines.append(f"all {len(answers)}: {told}")
        answers = tuple(answers[index] for index in sorted(chosen))
    if len(spreads) > most:
        lines.append(f"{most} of {len(spreads)} spreads of boards are shown, the widest ones; --json: all")
        widest = nsmallest(most, range(len(spreads)), key=lambda index: -spreads[index].relative)
        spreads = tuple(spreads[index] for index in sorted(widest))
    return replace(compared, comparisons=answers, spreads=spreads), tuple(lines)


def _rank(item: Comparison) -> tuple[int, float]:
    return _ORDER.index(item.answer), -_size(item)


def _size(item: Comparison) -> float:
    """How far it is from no difference; on a logarithmic scale, or in points."""
    effect = item.effect
    if effect is None or effect.change.value is None:
        return 0.0
    if effect.in_points:
        return abs(effect.change.value)
    return abs(math.log(effect.change.value)) if effect.change.value > 0 else math.inf
