"""The class that each row of scores says: one of hundreds of scores turns it without turning the row's direction."""

from dataclasses import dataclass

import numpy as np

from jetfleet.outputs.bounds import Array, Bounds, error_of

_NEAR = 4  # times the error that the whole may have: two scores, either of which may be off by twice as much


@dataclass(frozen=True)
class Classes:
    """Shares of rows: those that say the reference's class, and those that say another that is no near tie of it."""

    agree: float
    turned: float


def compare_classes(got: Array, want: Array, bounds: Bounds) -> Classes | None:
    """None for what is not rows of scores over at least two classes."""
    if want.ndim != 2 or want.shape[0] == 0 or want.shape[1] < 2:
        return None
    # What is masked, and alike on both sides, is never the class.
    finite = np.isfinite(want) & np.isfinite(got)
    lowest = float(want[finite].min()) if finite.any() else 0.0
    got, want = np.where(finite, got, lowest), np.where(finite, want, lowest)
    rows = np.arange(len(want))
    said, wanted = got.argmax(axis=1), want.argmax(axis=1)
    margin = want[rows, wanted] - want[rows, said]
    size = np.sqrt(np.mean(np.square(want), axis=1))
    near = _NEAR * error_of(bounds.min_cosine) * size
    return Classes(agree=float(np.mean(said == wanted)), turned=float(np.mean(margin > near)))
