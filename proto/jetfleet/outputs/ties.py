"""Sets whose scores tie: which of the tied rows are chosen is arbitrary, and only what that cannot change is held.

That is the scores in falling order, the rows whose score is above the tie, and the size of all numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jetfleet.outputs.bounds import Array, Bounds

_SIZE = 4.0  # times the reference's, or its inverse: tied rows come from one table


@dataclass(frozen=True)
class Ties:
    """Rows of the reference whose score ties with the last one chosen, and what is wrong in spite of ties; or empty."""

    tied: Array
    fault: str


def hold_ties(got: Array, want: Array, *, exact: Array, bounds: Bounds) -> Ties:
    """Tables of one width, a row each, the sample first; `exact` columns hold integers."""
    if got.shape != want.shape:
        return Ties(np.ones(len(want), bool), f"{len(got)} rows instead of {len(want)}")
    if not np.isfinite(got[np.isfinite(want).all(axis=1)]).all():
        return Ties(np.ones(len(want), bool), "not every number of a row is finite")
    column = _score_column(want, exact)
    if column is None:
        return Ties(np.ones(len(want), bool), _fault_of_sizes(got, want, exact))
    scores = want[:, column]
    near = 2 * bounds.row_tolerance * float(np.abs(scores).max(initial=0.0))
    tied = np.zeros(len(want), bool)
    for sample in np.unique(want[:, 0]):
        rows = want[:, 0] == sample
        found, wanted = np.sort(got[got[:, 0] == sample, column]), np.sort(scores[rows])
        if np.abs(found - wanted).max() > near:
            return Ties(tied, f"the scores of sample {sample:g} are others, beyond near ties")
        tied |= rows & (scores <= wanted[0] + near)
    return Ties(tied, _fault_of_sizes(got, want, exact))


def _score_column(want: Array, exact: Array) -> int | None:
    """The first column of floats that falls in every sample, as a TopK sorts them; else the first that stays."""
    falling = [column for column in np.flatnonzero(~exact) if _falls(want, int(column))]
    varying: Sequence[int] = [int(column) for column in falling if np.ptp(want[:, column]) > 0]
    return next(iter([*varying, *map(int, falling)]), None)


def _falls(want: Array, column: int) -> bool:
    same_sample = np.diff(want[:, 0]) == 0
    return bool((np.diff(want[:, column])[same_sample] <= 0).all())


def _fault_of_sizes(got: Array, want: Array, exact: Array) -> str:
    """Whether the columns of floats, all together, have become another size, or stopped varying."""
    floats = np.flatnonzero(~exact)
    if not len(floats) or not len(want):
        return ""
    a, b = got[:, floats], want[:, floats]
    for said, found, wanted in (("size", a, b), ("spread", a - a.mean(axis=0), b - b.mean(axis=0))):
        size, reference = float(np.linalg.norm(found)), float(np.linalg.norm(wanted))
        if reference > 0 and not reference / _SIZE <= size <= reference * _SIZE:
            return f"the {said} of its numbers is {size / reference:.3g} of the reference's"
    return ""
