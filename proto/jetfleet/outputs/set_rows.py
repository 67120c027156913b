"""Outputs side by side as one table, a row a member of the set: where the rows are in an array of each shape.

Detectors differ: boxes are [samples, rows, 4] or [samples, 4, rows], masks [samples, rows, height, width], and a count
of rows stands beside them. Pure.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from jetfleet.outputs.bounds import INTEGERS, Array


def rows_of(arrays: Sequence[Array]) -> Array | None:
    """A row a member of the set, its sample first; None where the arrays do not have one number of rows."""
    tables = _tables(arrays)
    if tables is None:
        return None
    samples, rows = tables[0].shape[:2]
    sample = np.repeat(np.arange(samples, dtype=np.float64), rows)[:, None]
    columns = [table.reshape(samples * rows, table.shape[2]).astype(np.float64) for table in tables]
    return np.concatenate([sample, *columns], axis=1)


def exact_columns(arrays: Sequence[Array]) -> Array:
    """Which columns of such a table must be equal: the sample's, and those of integers."""
    widths = [table.shape[2] for table in _tables(arrays) or []]
    exact = [np.full(width, array.dtype.kind in INTEGERS) for width, array in zip(widths, arrays, strict=True)]
    return np.concatenate([np.array([True]), *exact])


def side_by_side(arrays: Mapping[str, Array]) -> tuple[str, ...]:
    """The most outputs, in their order, that fit into one table: without a count of rows, for one."""
    found = [_fitting(arrays, lead) for lead in _leads(list(arrays.values()))]
    return max(found, key=len, default=())


def sets_in(arrays: Mapping[str, Array]) -> list[tuple[str, ...]]:
    """The outputs of one table, and of the others those that hold as many rows of other samples: a decoder's layers."""
    found: list[tuple[str, ...]] = []
    rest, outputs = dict(arrays), side_by_side(arrays)
    (_, rows), *_ = _leads([arrays[name] for name in outputs]) or [(0, 0)]
    while outputs:
        found.append(outputs)
        rest = {name: array for name, array in rest.items() if name not in outputs}
        leads = [lead for lead in _leads(list(rest.values())) if lead[1] == rows]
        outputs = max((_fitting(rest, lead) for lead in leads), key=len, default=())
    return found


def _fitting(arrays: Mapping[str, Array], lead: tuple[int, int]) -> tuple[str, ...]:
    return tuple(name for name, array in arrays.items() if _table(array, lead) is not None)


def _tables(arrays: Sequence[Array]) -> list[Array] | None:
    """Each array as (samples, rows, columns), with samples and rows that suit all."""
    for lead in _leads(arrays):
        tables = [table for table in (_table(array, lead) for array in arrays) if table is not None]
        if len(tables) == len(arrays):
            return tables
    return None


def _leads(arrays: Sequence[Array]) -> list[tuple[int, int]]:
    """What samples and rows may be, the likeliest first: as the arrays of most axes say it, by their first layout."""
    most = sorted(arrays, key=lambda array: -min(array.ndim, 3))
    layouts = [_layouts(array) for array in most]
    in_order = [tables[rank] for rank in range(3) for tables in layouts if rank < len(tables)]
    found = [(table.shape[0], table.shape[1]) for table in in_order]
    return list(dict.fromkeys([*_of_a_topk(arrays), *found]))


def _of_a_topk(arrays: Sequence[Array]) -> list[tuple[int, int]]:
    """Scores and indices of one shape, [samples, rows]: indices are no columns of a row."""
    shapes, kinds = {array.shape for array in arrays}, {array.dtype.kind in INTEGERS for array in arrays}
    if len(shapes) != 1 or len(kinds) != 2 or arrays[0].ndim != 2:
        return []
    samples, rows = arrays[0].shape
    return [(samples, rows)] if rows > 1 else []


def _table(array: Array, lead: tuple[int, int]) -> Array | None:
    return next((table for table in _layouts(array) if table.shape[:2] == lead), None)


def _layouts(array: Array) -> list[Array]:
    """As (samples, rows, columns), the likeliest first."""
    shape = array.shape
    if array.ndim < 2:
        return [array.reshape(1, -1, 1)]
    if array.ndim == 2:
        found = [array.reshape(1, *shape), array.reshape(*shape, 1)]
        return found[::-1] if shape[0] == 1 else found
    last = np.moveaxis(array, -1, -2)
    found = [item.reshape(math.prod(shape[:-2]), *item.shape[-2:]) for item in (array, last)]
    return [*found, array.reshape(*shape[:2], math.prod(shape[2:]))] if array.ndim > 3 else found
