"""What an interval of a ratio says, given the margin within which two things are the same."""

from enum import Enum

MARGIN = 0.01


class Relation(Enum):
    BELOW = "below"
    ABOVE = "above"
    WITHIN = "within the margin"
    UNDECIDED = "undecided"


def relation(low: float, high: float, *, margin: float = MARGIN, bias: float = 0.0) -> Relation:
    """Within the margin first: what is the same for every purpose may still differ measurably.

    The margin is logarithmic: 1 % is from 1 / 1.01 to 1.01, so that swapping the two sides swaps the answer. So is the
    `bias` that equal ones may show: a difference that it explains is none.
    """
    if 1 / (1 + margin) <= low and high <= 1 + margin:
        return Relation.WITHIN
    if low > 1 + bias:
        return Relation.ABOVE
    return Relation.BELOW if high < 1 / (1 + bias) else Relation.UNDECIDED
