"""Integers held against the reference: indices and labels are equal or not; values that were rounded may differ by a
tolerance, and are judged by slice like floats beyond it. Pure but for numpy.
"""

import numpy as np

from jetfleet.outputs.bounds import Array, Bounds, Judgement
from jetfleet.outputs.slices import worst_slice

_SHIFT = 0.75  # of the tolerance, on average: rounding errs both ways, and cutting by half a step
_SUGGESTED = 4  # differences up to this may be rounding
_SUGGESTED_OF_BYTES = 16  # and up to this what INT8 leaves of an image
_LEAST_VALUES = 32  # different ones: fewer are labels, or a mask


def judge_integers(got: Array, want: Array, bounds: Bounds) -> Judgement:
    """Arrays of one shape."""
    if not want.size:
        return Judgement(True, "there is no element", equal_share=1.0)
    least = bounds.min_agreement or 1.0  # 0 would let anything pass: nobody means that, so absent means all
    if bounds.tolerance and want.dtype.kind != "b":
        return _judge_rounded(got, want, bounds, least)
    share = float(np.mean(got == want))
    detail = f"{100 * share:g} % of elements equal, at least {100 * least:g} % wanted"
    if share < least:
        detail += _suggestion(got, want, least)
    return Judgement(share >= least, detail, equal_share=share)


def _judge_rounded(got: Array, want: Array, bounds: Bounds, least: float) -> Judgement:
    a, b = got.astype(np.float64), want.astype(np.float64)
    within = np.abs(a - b) <= bounds.tolerance
    share, shift = float(np.mean(within)), float(np.mean(np.where(within, a - b, 0.0)))
    # Only what lies beyond the tolerance is a difference to a slice: a dark corner is rounded too.
    worst = worst_slice(np.where(within, b, a), b, bounds)
    detail = f"{100 * share:g} % of elements within {bounds.tolerance}, at least {100 * least:g} % wanted"
    fault = ""
    if share < least:
        fault = detail + _wider(got, want, least)
    elif abs(shift) > _SHIFT * bounds.tolerance:
        fault = f"all of it is shifted, by {shift:.3g} on average: that is not rounding"
    elif worst is not None and worst.failed:
        fault = f"beyond rounding, {worst.fault}"
    return Judgement(
        not fault,
        fault or detail,
        max_abs=float(np.abs(a - b).max()),
        equal_share=share,
        worst_slice="" if worst is None else worst.where,
        worst_slice_cosine=None if worst is None else worst.cosine,
        worst_slice_norm_ratio=None if worst is None else worst.norm_ratio,
    )


def _suggestion(got: Array, want: Array, least: float) -> str:
    """What to say where differences are as small as those of rounding."""
    largest = int(np.abs(got.astype(np.float64) - want.astype(np.float64)).max())
    if want.dtype.kind == "b":
        return ""
    if largest > _SUGGESTED:
        return _wider(got, want, least)
    return f"; none is off by more than {largest}: values that were rounded may be, with tolerance: {largest}"


def _wider(got: Array, want: Array, least: float) -> str:
    """The tolerance that enough elements are within, of bytes as many and as near as those of an image in two types."""
    difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
    needed = int(np.quantile(difference, least, method="higher"))
    if want.dtype.itemsize > 1 or needed > _SUGGESTED_OF_BYTES or len(np.unique(want)) < _LEAST_VALUES:
        return ""
    return f"; {100 * least:g} % are off by {needed} at most: of pixels that may be right, with tolerance: {needed}"
