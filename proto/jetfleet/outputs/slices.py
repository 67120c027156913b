"""Slices of a tensor held against the reference, vectorised: each sample, and each index of each axis within one.

A detector's boxes (0 to 640) hide that every score (0 to 1) is lost; a slice of scores does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jetfleet.outputs.bounds import Array, Bounds
from jetfleet.outputs.varying import lost_behind_offset

_LEAST_SLICE = 16  # elements; fewer say little about a direction
_LEAST_STEADY = 4  # but of a steady slice, whose direction says nothing anyway, they tell its length
_STEADY = 0.25  # of the largest element is the least, and all have one sign
_DEAD = 1e-4  # a slice whose peak is below this share of its neighbours' median peak says nothing, unless it is steady
_LEAST_HALF = 2.0**-14  # the smallest number that half precision holds in full
_UNTOLD = 2.0**-22  # four steps of half's smallest numbers; a sigmoid or softmax in float32 errs by as much
_GONE = 1e-3  # of its peak is left: the slice is lost
_WEAK = 0.05  # of the largest peak: on a wide axis a few weak features may be lost, nobody reads one of hundreds alone
_WIDE_AXIS, _LOST_SHARE = 128, 0.05


@dataclass(frozen=True)
class SliceFault:
    """The worst slice of an axis, and what is wrong with it; empty: nothing."""

    where: str
    cosine: float
    norm_ratio: float
    fault: str

    @property
    def failed(self) -> bool:
        return bool(self.fault)


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
    if float(np.abs(want).max(initial=0.0)) > _LEAST_HALF:
        got = np.where(np.abs(got - want) <= _UNTOLD, want, got)
    found = [_worst_of(slices, bounds) for slices in _all_slices(got, want)]
    judged = [item for item in found if item is not None]
    return min(judged, key=lambda item: (not item.failed, item.cosine), default=None)


def _all_slices(got: Array, want: Array) -> Iterator[_Slices]:
    """Each sample, and each index of the other axes: in each sample where it is large enough there."""
    shape = want.shape
    if want.ndim > 1 and shape[0] > 1 and want.size // shape[0] >= _LEAST_STEADY:
        yield _Slices(0, 1, got.reshape(shape[0], -1), want.reshape(shape[0], -1))
    for axis in range(1, want.ndim):
        if shape[axis] < 2 or want.size // shape[axis] < _LEAST_STEADY:
            continue
        if want.size // (shape[0] * shape[axis]) >= _LEAST_SLICE:
            rows = shape[0] * shape[axis]
            arrays = [np.moveaxis(array, axis, 1).reshape(rows, -1) for array in (got, want)]
            yield _Slices(axis, shape[0], *arrays)
        else:
            arrays = [np.moveaxis(array, axis, 0).reshape(shape[axis], -1) for array in (got, want)]
            yield _Slices(axis, 1, *arrays)


def _worst_of(slices: _Slices, bounds: Bounds) -> SliceFault | None:
    """Which slice of an axis lost most, of those that say something. None where there is none."""
    peak = np.abs(slices.want).max(axis=1)
    alive = peak > 0
    steady = _steady(slices.want)
    if slices.axis and slices.want.shape[1] < _LEAST_SLICE:
        return _worst_steady(slices, steady, bounds)
    if not alive.any():
        return None
    cosine, norm_ratio = _directions(slices.got, slices.want)
    median, allowed = float(np.median(peak[alive])), bounds.norm_error(bounds.slice_cosine)
    judged = (peak > _DEAD * median) | (steady & (peak > _LEAST_HALF))
    off = np.abs(norm_ratio - 1)
    bad = judged & ((cosine < bounds.slice_cosine) | (off > allowed))
    got_peak = np.abs(slices.got).max(axis=1)
    bad |= ~alive & (got_peak > allowed * median)
    bad = _less_weak(bad, peak, gone=(got_peak <= _GONE * peak) & (peak > (1 - bounds.slice_cosine) * median))
    # The worse of the two measures decides, each in units of what it may lose.
    loss = np.maximum((1 - cosine) / max(1 - bounds.slice_cosine, 1e-12), off / allowed)
    row = int(np.argmax(np.where(bad if bad.any() else judged, loss, -1.0)))
    fault = _fault(slices.place(row), float(cosine[row]), float(norm_ratio[row]), bounds) if bad.any() else ""
    behind = None if fault else lost_behind_offset(slices.got, slices.want, bounds)
    if behind is not None:
        row, fault = behind.row, f"{slices.place(behind.row)} {behind.fault}"
    return SliceFault(slices.place(row), float(cosine[row]), float(norm_ratio[row]), fault)


def _less_weak(bad: Array, peak: Array, *, gone: Array) -> Array:
    """Without the few weak slices that a wide axis may lose; one that is gone altogether is not weak."""
    weak = bad & (peak < _WEAK * peak.max())
    if len(peak) >= _WIDE_AXIS and weak.sum() <= _LOST_SHARE * len(peak):
        bad = bad & (~weak | gone)
    return bad


def _steady(want: Array) -> Array:
    """Rows of one sign and one order of magnitude: a constant of its own scale, whatever its neighbours' is."""
    size = np.abs(want)
    one_sign = (want > 0).all(axis=1) | (want < 0).all(axis=1)
    steady: Array = np.logical_and(one_sign, size.min(axis=1) >= _STEADY * size.max(axis=1))
    return steady


def _worst_steady(slices: _Slices, steady: Array, bounds: Bounds) -> SliceFault | None:
    """Of slices too small to have a direction: their error as a share of their length, where they are steady."""
    steady = steady & (np.abs(slices.want).max(axis=1) > _LEAST_HALF)
    if not steady.any():
        return None
    length = np.linalg.norm(slices.want, axis=1)
    error = np.linalg.norm(slices.got - slices.want, axis=1)
    share = np.divide(error, length, out=np.zeros_like(error), where=steady)
    row, allowed = int(np.argmax(share)), 2 * bounds.norm_error(bounds.slice_cosine)
    cosine, norm_ratio = (float(item[row]) for item in _directions(slices.got, slices.want))
    fault = ""
    if share[row] > allowed:
        fault = f"{slices.place(row)} is off by {100 * share[row]:.3g} % of its length"
    return SliceFault(slices.place(row), cosine, norm_ratio, fault)


def _fault(place: str, cosine: float, norm_ratio: float, bounds: Bounds) -> str:
    if cosine < bounds.slice_cosine:
        return f"{place} has cosine {cosine:.6g}, at least {bounds.slice_cosine:g} wanted of every slice"
    allowed = bounds.norm_error(bounds.slice_cosine)
    return f"{place} has norm ratio {norm_ratio:.6g}, 1 +- {allowed:.2g} wanted of every slice"


def _directions(got: Array, want: Array) -> tuple[Array, Array]:
    """Cosine and norm ratio of each row; 0 and 1 where a row of the reference is zero."""
    norm_got, norm_want = np.linalg.norm(got, axis=1), np.linalg.norm(want, axis=1)
    product = norm_got * norm_want
    cosine = np.divide(np.einsum("ij,ij->i", got, want), product, out=np.zeros_like(product), where=product > 0)
    return cosine, np.divide(norm_got, norm_want, out=np.ones_like(norm_got), where=norm_want > 0)
