"""Whether two answers of one model are the same answer, and by how much they differ. Pure but for numpy."""

import numpy as np

from controller.intake.graph.rounded_outputs import TOLERANCE
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps

RTOL, ATOL = 1e-3, 1e-4
_HINT = "a random or data-dependent operation in the model is the usual cause"


def agree(name: str, found: Array, wanted: Array, *, told: str, steps: Steps, rounded: bool = False) -> float:
    """The largest absolute difference in one output. Raises ModelError, beginning with `told`, if it is too large.

    Integers must be equal, but for those that were rounded from floats.
    """
    expected = f"agreement within rtol {RTOL:g}, atol {ATOL:g}"
    what = f"{told} in output {name!r}"
    if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
        message = f"{what}: {found.dtype} {list(found.shape)} instead of {wanted.dtype} {list(wanted.shape)}"
        raise ModelError(message, steps=steps, expected=expected, hint=_HINT)
    if wanted.size == 0:
        return 0.0
    exact = wanted.dtype.kind != "f"
    with np.errstate(invalid="ignore"):
        apart = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    close = found == wanted if exact else np.isclose(found, wanted, rtol=RTOL, atol=ATOL, equal_nan=True)
    if rounded:
        close = close | (apart <= TOLERANCE)
    # Two NaNs, or two infinities of one sign, differ by nothing.
    apart = np.where((found == wanted) | (np.isnan(apart) & close), 0.0, apart)
    if not close.all():
        worst = np.unravel_index(int(np.argmax(np.where(close, -1.0, np.nan_to_num(apart, nan=np.inf)))), apart.shape)
        place = [int(index) for index in worst]
        share = 100 * (1 - close.mean())
        message = f"{what}: {found[worst]} instead of {wanted[worst]} at {place}; {share:.3g} % of it is too far off"
        raise ModelError(message, steps=steps, expected="equality" if exact else expected, hint=_HINT)
    return float(apart.max())
