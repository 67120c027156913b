"""What varies behind an offset: of a temperature in kelvin every answer has the right direction. Pure but for numpy."""

import math
from dataclasses import dataclass

import numpy as np

from jetfleet.outputs.bounds import Array, Bounds

_OFFSET = 0.1, 0.5  # a spread below this share of the mean is hidden by it: at least, and at most
_ROUNDING = 1e-5  # a spread below this share of the mean is float32's own
_LEAST_ELEMENTS = 8
_NOTHING = 0.05  # of the other rows' median spread, and no more than rounding makes: such a row is a constant
_LEFT = 0.1  # of the spread: less, and what varies is gone


@dataclass(frozen=True)
class VaryingFault:
    row: int
    fault: str


def lost_behind_offset(got: Array, want: Array, bounds: Bounds) -> VaryingFault | None:
    """The row whose mean hides what varies, and where that is lost most; None: nowhere.

    A mean hides a spread whose loss would not cost the cosine of a slice, and any that is a tenth of it.
    A spread is held to the cosine and the length of a slice, unless it is so small that rounding alone, to a share of
    1 - min_cosine of the mean or of the rows' median length, costs as much: then to a cosine of a half, and where it is
    smaller than that, to being there at all.
    """
    if want.shape[1] < _LEAST_ELEMENTS:
        return None
    mean = want.mean(axis=1)
    varying, wanted = got - got.mean(axis=1, keepdims=True), want - mean[:, None]
    spread, left = wanted.std(axis=1), varying.std(axis=1)
    size = np.abs(mean)
    product = spread * left * want.shape[1]
    cosine = np.divide(np.einsum("ij,ij->i", varying, wanted), product, out=np.zeros_like(product), where=product > 0)
    length = np.sqrt(np.mean(np.square(want), axis=1))
    rounding = (1 - bounds.min_cosine) * np.maximum(size, np.median(length))  # rows come of sums over like numbers
    something = (spread > _NOTHING * np.median(spread)) | (spread >= 2 * rounding)
    hidden = (spread > _ROUNDING * size) & (spread < _hidden_below(bounds) * size) & something
    clear = spread >= 2 * rounding
    least = np.select([clear, spread >= rounding / 2], [bounds.slice_cosine, 0.5], -1.0)
    least = np.minimum(least, bounds.slice_cosine)
    gone = (left < _LEFT * spread) & (bounds.slice_cosine > 0)
    off = clear & (np.abs(left - spread) > bounds.norm_error(bounds.slice_cosine) * spread)
    lost = hidden & (gone | off | (cosine < least))
    if not lost.any():
        return None
    row = int(np.argmin(np.where(lost, np.where(gone, 0.0, cosine), np.inf)))
    if gone[row]:
        return VaryingFault(row, f"is {mean[row]:.4g} and what varies around it is lost")
    if cosine[row] >= least[row]:
        ratio = left[row] / spread[row]
        return VaryingFault(row, f"less its mean {mean[row]:.4g} has norm ratio {ratio:.6g}, too far from 1")
    said = f"less its mean {mean[row]:.4g} has cosine {cosine[row]:.6g}, at least {least[row]:g} wanted"
    return VaryingFault(row, said)


def _hidden_below(bounds: Bounds) -> float:
    """The share of the mean below which a spread may be lost and the cosine of a slice is still there."""
    least, most = _OFFSET
    cosine = max(bounds.slice_cosine, 0.5)
    return min(max(math.sqrt(1 / cosine**2 - 1), least), most)
