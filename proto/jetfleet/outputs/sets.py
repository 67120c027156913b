"""Outputs whose rows are a set: matched in any order, nearest first, instead of compared by place."""

from collections.abc import Sequence

import numpy as np

from jetfleet.outputs.bounds import INTEGERS, Array, Bounds, Judgement, difference_of_shapes
from jetfleet.outputs.set_rows import exact_columns, rows_of
from jetfleet.outputs.ties import hold_ties

_ROUNDED = 0.2  # of a column's size: rows that are few or near each other have no range, and are rounded all the same
_MOST_ROWS = 4096  # a matching needs memory by the square of it


def judge_set(got: Sequence[Array], want: Sequence[Array], bounds: Bounds) -> Judgement:
    """Outputs whose rows are a set, in any order: boxes, scores and classes of a detector are one, given together.

    Rows are the axis that all have, the last but one of an array of three where it can be, each within its sample. A
    row matches at most one other, the nearest first; columns of integers must be equal.
    """
    unlike = [pair for pair in zip(got, want, strict=True) if not _same_kind(*pair)]
    if unlike:
        return Judgement(False, difference_of_shapes(*unlike[0]))
    rows_got, rows_want = rows_of(got), rows_of(want)
    if rows_want is None:
        return Judgement(False, f"the outputs of the set do not have one number of rows: {_shapes(want)}")
    if rows_got is None or rows_got.shape[1] != rows_want.shape[1]:
        return Judgement(False, f"the set's outputs have other shapes: got {_shapes(got)}, want {_shapes(want)}")
    count = max(_most_rows(rows_got), _most_rows(rows_want))
    if count > _MOST_ROWS:
        return Judgement(False, f"a set of {count} rows in a sample is too large to be matched, at most {_MOST_ROWS}")
    exact = exact_columns(want)
    found = _judge_rows(rows_got, rows_want, exact=exact, bounds=bounds)
    if bounds.ties and not found.passed:
        return _judge_tied(rows_got, rows_want, exact=exact, bounds=bounds)
    return found


def _shapes(arrays: Sequence[Array]) -> str:
    return " and ".join(f"{array.dtype}{list(array.shape)}" for array in arrays)


def _most_rows(rows: Array) -> int:
    """In one sample."""
    return int(np.unique(rows[:, 0], return_counts=True)[1].max(initial=0))


def _same_kind(got: Array, want: Array) -> bool:
    return got.dtype.kind == want.dtype.kind or (got.dtype.kind in INTEGERS and want.dtype.kind in INTEGERS)


def _judge_rows(got: Array, want: Array, *, exact: Array, bounds: Bounds) -> Judgement:
    matched, count = _matched(got, want, _allowed(want, exact, bounds)), max(len(got), len(want))
    share, least = matched / count if count else 1.0, bounds.min_agreement or 1.0
    detail = f"{matched} of {len(want)} rows matched, {len(got)} were given, at least {100 * least:g} % wanted"
    return Judgement(share >= least, detail, equal_share=share)


def _judge_tied(got: Array, want: Array, *, exact: Array, bounds: Bounds) -> Judgement:
    """What ties cannot change; of that little is left where most rows tie."""
    found = hold_ties(got, want, exact=exact, bounds=bounds)
    sure = want[~found.tied]
    matched = _matched(got, sure, _allowed(want, exact, bounds))
    share, least = matched / len(sure) if len(sure) else 1.0, bounds.min_agreement or 1.0
    said = f"{len(want) - len(sure)} of {len(want)} rows tie"
    detail = found.fault or f"{matched} of {len(sure)} rows above the tie matched, at least {100 * least:g} % wanted"
    weakness = f"{said}, so that which are chosen is arbitrary" if 2 * len(sure) < len(want) else ""
    return Judgement(not found.fault and share >= least, f"{detail}; {said}", equal_share=share, weakness=weakness)


def _allowed(want: Array, exact: Array, bounds: Bounds) -> Array:
    """How far each column of a row may be off, by the range of that column in all rows of the reference."""
    if not len(want):
        return np.zeros(want.shape[1])
    width = np.maximum(np.ptp(want, axis=0), _ROUNDED * np.abs(want).max(axis=0))
    found: Array = np.where(exact, 0.25, bounds.row_tolerance * width)
    return found


def _matched(got: Array, want: Array, allowed: Array) -> int:
    """How many rows find a partner in their sample, the nearest pairs first."""
    if not len(want):
        return 0
    scale = np.maximum(allowed, 1e-12)
    samples = np.unique(want[:, 0])
    return sum(_pairs(got[got[:, 0] == sample] / scale, want[want[:, 0] == sample] / scale) for sample in samples)


def _pairs(got: Array, want: Array) -> int:
    """How many rows of one sample find a partner nearer than 1 in every column."""
    distance = np.zeros((len(got), len(want)))
    for column in range(want.shape[1]):
        np.maximum(distance, np.abs(got[:, column, None] - want[None, :, column]), out=distance)
    pairs = np.argwhere(distance <= 1)
    order = np.argsort(distance[pairs[:, 0], pairs[:, 1]], kind="stable")
    free_got, free_want, count = np.ones(len(got), bool), np.ones(len(want), bool), 0
    for row, partner in pairs[order]:
        if free_got[row] and free_want[partner]:
            free_got[row] = free_want[partner] = False
            count += 1
    return count
