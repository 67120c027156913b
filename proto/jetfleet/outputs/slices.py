"""Slices of a tensor held against the reference, vectorised: each sample, and each index of each axis within one.

A detector's boxes (0 to 640) hide that every score (0 to 1) is lost; a slice of scores does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jetfleet.outputs.bounds import Array, Bounds

_LEAST_SLICE = 16  # elements; fewer say little about a direction
_LEAST_SAMPLE = 4
_DEAD = 1e-4  # a slice whose peak is below this share of its neighbours' median peak says nothing
_WEAK = 0.05  # of the largest peak: on a wide axis a few weak features may be lost, nobody reads one of hundreds alone
_WIDE_AXIS, _LOST_SHARE = 128, 0.05


@dataclass(frozen=True)
class SliceFault:
    """The worst slice of an axis."""

    where: str
    cosine: float
    norm_ratio: float
    failed: bool


@dataclass(frozen=True)
class _Slices:
    """The slices of one axis, a row each: (samples x indices, elements), or without samples (indices, elements)."""

    axis: int
    samples: int  # 1: an index is one slice over all samples
    got: Array
    want: Array

    def place(self, row: int) -> str:
        if self.axis == 0:
            return f"sample {row}"
        sample, index = divmod(row, len(self.want) // self.samples)
        place = f"index {index} of axis {self.axis}"
        return f"{place} of sample {sample}" if self.samples > 1 else place


def worst_slice(got: Array, want: Array, bounds: Bounds) -> SliceFault | None:
    """The worst slice of all axes, a failed one before any other; None where no slice means anything."""
    found = [_worst_of(slices, bounds) for slices in _all_slices(got, want)]
    judged = [item for item in found if item is not None]
    return min(judged, key=lambda item: (not item.failed, item.cosine), default=None)


def _all_slices(got: Array, want: Array) -> Iterator[_Slices]:
    """Each sample, and each index of the other axes: in each sample where it is large enough there."""
    shape = want.shape
    if want.ndim > 1 and shape[0] > 1 and want.size // shape[0] >= _LEAST_SAMPLE:
        yield _Slices(0, 1, got.reshape(shape[0], -1), want.reshape(shape[0], -1))
    for axis in range(1, want.ndim):
        if shape[axis] < 2 or want.size // shape[axis] < _LEAST_SLICE:
            continue
        if want.size // (shape[0] * shape[axis]) >= _LEAST_SLICE:
            rows = shape[0] * shape[axis]
            arrays = [np.moveaxis(array, axis, 1).reshape(rows, -1) for array in (got, want)]
            yield _Slices(axis, shape[0], *arrays)
        else:
            arrays = [np.moveaxis(array, axis, 0).reshape(shape[axis], -1) for array in (got, want)]
            yield _Slices(axis, 1, *arrays)


def _worst_of(slices: _Slices, bounds: Bounds) -> SliceFault | None:
    """Which slice of an axis lost most, of those that say something. None where every one is zero."""
    peak = np.abs(slices.want).max(axis=1)
    alive = peak > 0
    if not alive.any():
        return None
    cosine, norm_ratio = _directions(slices.got, slices.want)
    median, allowed = float(np.median(peak[alive])), bounds.norm_error(bounds.slice_cosine)
    judged = peak > _DEAD * median
    off = np.abs(norm_ratio - 1)
    bad = judged & ((cosine < bounds.slice_cosine) | (off > allowed))
    bad |= ~alive & (np.abs(slices.got).max(axis=1) > allowed * median)
    weak = bad & (peak < _WEAK * peak.max())
    if len(peak) >= _WIDE_AXIS and weak.sum() <= _LOST_SHARE * len(peak):
        bad &= ~weak
    # The worse of the two measures decides, each in units of what it may lose.
    loss = np.maximum((1 - cosine) / max(1 - bounds.slice_cosine, 1e-12), off / allowed)
    row = int(np.argmax(np.where(bad if bad.any() else judged, loss, -1.0)))
    return SliceFault(slices.place(row), float(cosine[row]), float(norm_ratio[row]), failed=bool(bad.any()))


def _directions(got: Array, want: Array) -> tuple[Array, Array]:
    """Cosine and norm ratio of each row; 0 and 1 where a row of the reference is zero."""
    norm_got, norm_want = np.linalg.norm(got, axis=1), np.linalg.norm(want, axis=1)
    product = norm_got * norm_want
    cosine = np.divide(np.einsum("ij,ij->i", got, want), product, out=np.zeros_like(product), where=product > 0)
    return cosine, np.divide(norm_got, norm_want, out=np.ones_like(norm_got), where=norm_want > 0)
