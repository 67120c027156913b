"""Outputs whose rows are a set: matched in any order, nearest first, instead of compared by place."""

from collections.abc import Sequence

import numpy as np

from jetfleet.outputs.bounds import INTEGERS, Array, Bounds, Judgement, difference_of_shapes
from jetfleet.outputs.ties import hold_ties

_MOST_ROWS = 4096  # a matching needs memory by the square of it


def judge_set(got: Sequence[Array], want: Sequence[Array], bounds: Bounds) -> Judgement:
    """Outputs whose rows are a set, in any order: boxes, scores and classes of a detector are one, given together.

    Rows are the last axis but one of an array of two axes or more, else the elements, each within its sample. A row
    matches at most one other, the nearest first; columns of integers must be equal.
    """
    unlike = [pair for pair in zip(got, want, strict=True) if not _same_kind(*pair)]
    if unlike:
        return Judgement(False, difference_of_shapes(*unlike[0]))
    rows_got, rows_want = _rows(got), _rows(want)
    if rows_got is None or rows_want is None or rows_got.shape[1] != rows_want.shape[1]:
        shapes = ", ".join(difference_of_shapes(a, b) for a, b in zip(got, want, strict=True))
        return Judgement(False, f"the rows of the set do not have one length: {shapes}")
    count = max(len(rows_got), len(rows_want))
    if count > _MOST_ROWS:
        return Judgement(False, f"a set of {count} rows is too large to be matched, at most {_MOST_ROWS}")
    exact = _exact_columns(want)
    found = _judge_rows(rows_got, rows_want, exact=exact, bounds=bounds)
    if bounds.ties and not found.passed:
        return _judge_tied(rows_got, rows_want, exact=exact, bounds=bounds)
    return found


def _same_kind(got: Array, want: Array) -> bool:
    return got.dtype.kind == want.dtype.kind or (got.dtype.kind in INTEGERS and want.dtype.kind in INTEGERS)


def _judge_rows(got: Array, want: Array, *, exact: Array, bounds: Bounds) -> Judgement:
    matched, count = _matched(got, want, exact=exact, tolerance=bounds.row_tolerance), max(len(got), len(want))
    share, least = matched / count if count else 1.0, bounds.min_agreement or 1.0
    detail = f"{matched} of {len(want)} rows matched, {len(got)} were given, at least {100 * least:g} % wanted"
    return Judgement(share >= least, detail, equal_share=share)


def _judge_tied(got: Array, want: Array, *, exact: Array, bounds: Bounds) -> Judgement:
    """What ties cannot change; of that little is left where most rows tie."""
    found = hold_ties(got, want, exact=exact, bounds=bounds)
    sure = want[~found.tied]
    matched = _matched(got, sure, exact=exact, tolerance=bounds.row_tolerance)
    share, least = matched / len(sure) if len(sure) else 1.0, bounds.min_agreement or 1.0
    said = f"{len(want) - len(sure)} of {len(want)} rows tie"
    detail = found.fault or f"{matched} of {len(sure)} rows above the tie matched, at least {100 * least:g} % wanted"
    weakness = f"{said}, so that which are chosen is arbitrary" if 2 * len(sure) < len(want) else ""
    return Judgement(not found.fault and share >= least, f"{detail}; {said}", equal_share=share, weakness=weakness)


def _tables(arrays: Sequence[Array]) -> list[Array]:
    """Each array as (samples, rows, columns). Where one has three axes, its first two tell samples and rows of all."""
    lead = next((array.shape[-3:-1] for array in arrays if array.ndim > 2), None)
    tables = []
    for array in arrays:
        if array.ndim > 2:
            tables.append(array.reshape(-1, *array.shape[-2:]))
        elif array.ndim == 2 and (array.shape == lead or (lead is None and array.shape[0] == 1)):
            tables.append(array.reshape(*array.shape, 1))
        elif array.ndim:
            tables.append(array.reshape(1, len(array), *(array.shape[1:] or (1,))))
        else:
            tables.append(array.reshape(1, 1, 1))
    return tables


def _rows(arrays: Sequence[Array]) -> Array | None:
    """All arrays side by side, a row a member of the set, its sample first; None where they do not fit together."""
    tables = _tables(arrays)
    if len({table.shape[:2] for table in tables}) != 1:
        return None
    samples, rows = tables[0].shape[:2]
    sample = np.repeat(np.arange(samples, dtype=np.float64), rows)[:, None]
    columns = [table.reshape(samples * rows, table.shape[2]).astype(np.float64) for table in tables]
    return np.concatenate([sample, *columns], axis=1)


def _exact_columns(arrays: Sequence[Array]) -> Array:
    """Which columns must be equal: the sample's, and those of integers."""
    widths = [table.shape[2] for table in _tables(arrays)]
    exact = [np.full(width, array.dtype.kind in INTEGERS) for width, array in zip(widths, arrays, strict=True)]
    return np.concatenate([np.array([True]), *exact])


def _matched(got: Array, want: Array, *, exact: Array, tolerance: float) -> int:
    """How many rows find a partner, the nearest pairs first."""
    if not len(got) or not len(want):
        return 0
    scale = np.where(exact, 0.25, tolerance * np.maximum(np.ptp(want, axis=0), np.abs(want).max(axis=0) * 1e-3))
    scale = np.maximum(scale, 1e-12)
    distance = np.zeros((len(got), len(want)))
    for column in range(want.shape[1]):
        np.maximum(distance, np.abs(got[:, column, None] - want[None, :, column]) / scale[column], out=distance)
    pairs = np.argwhere(distance <= 1)
    order = np.argsort(distance[pairs[:, 0], pairs[:, 1]], kind="stable")
    free_got, free_want, count = np.ones(len(got), bool), np.ones(len(want), bool), 0
    for row, partner in pairs[order]:
        if free_got[row] and free_want[partner]:
            free_got[row] = free_want[partner] = False
            count += 1
    return count
