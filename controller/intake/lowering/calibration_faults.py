"""What calibration rows are worth: refused where INT8 ranges cannot be learnt from them, else what speaks against them.

Pure. Arrays come with the rows along their first axis.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps
from jetfleet.plural import are, counted

_AT: Steps = ("model", "data", "calibration")
USUAL_ROWS = 32  # fewer different rows are a remark on every row of the results
_UNLIKE = 4.0  # how often the largest |x| of the calibration may be that of the other data, or the reverse
_PIXEL_LARGEST = 255


def refuse_faults(file: str, rows: Mapping[str, Array], constants: Mapping[str, Array]) -> None:
    """Raises ModelError for what is not finite, and where no input varies at all."""
    for name, array in rows.items():
        strange = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
        if strange.any():
            raise _not_finite(file, name, array, strange)
    _refuse_constants(file, constants)
    if any(array.size > 1 for array in rows.values()) and all(map(_is_constant, rows.values())):
        shown = ", ".join(f"{name} is {array.flat[0]:g}" for name, array in rows.items())
        raise ModelError(
            f"{file}: {shown} in every element of every row: nothing can be learnt from that",
            steps=_AT,
            expected="samples like those that the model will see",
            hint="save real samples, normalised as the model takes them",
        )


def _refuse_constants(file: str, constants: Mapping[str, Array]) -> None:
    for name, array in constants.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"{file}: {name} is not finite", steps=_AT, expected="finite numbers")


def _not_finite(file: str, name: str, array: Array, strange: Array) -> ModelError:
    index = [int(axis) for axis in np.argwhere(strange)[0]]
    where = f"first in row {index[0]}" + (f" at {index[1:]}" if index[1:] else "")
    count = int(strange.reshape(len(strange), -1).any(axis=1).sum())
    word = "NaN" if np.isnan(array[tuple(index)]) else "infinity"
    return ModelError(
        f"{file}: {name} holds {word} or the like in {count} of {counted(len(array), 'row')}, {where}",
        steps=_AT,
        expected="finite numbers",
        hint=f"numpy.isfinite({name}).all(): leave such rows out, or mend what made them",
    )


def weaknesses(rows: Mapping[str, Array]) -> list[str]:
    """What makes the ranges doubtful, in words that stand on every row of the results."""
    found = []
    different = _different_rows(rows)
    count = len(next(iter(rows.values()), ()))
    if different < USUAL_ROWS:
        shown = (
            f"{counted(count, 'row')}" if different == count else f"{counted(different, 'different row')} of {count}"
        )
        found.append(f"ranges were learnt from {shown}, {USUAL_ROWS} or more are usual")
    floats = {name: array for name, array in rows.items() if array.dtype.kind == "f" and array[0].size > 1}
    return [*found, *filter(None, (_sameness(name, array) for name, array in floats.items()))]


def _sameness(name: str, array: Array) -> str:
    if _is_constant(array):
        return f"{name} is {array.flat[0]:g} in every element"
    flat = array.reshape(len(array), -1)
    same = flat.min(axis=1) == flat.max(axis=1)
    if not same.any():
        return ""
    return f"{int(same.sum())} of {counted(len(array), 'row')} of {name} are constant, first row {int(same.argmax())}"


def unlike(rows: Mapping[str, Array], others: Mapping[str, Array]) -> list[str]:
    """Float inputs whose range is another than in the data that the model is said to see."""
    found = []
    for name, array in rows.items():
        if array.dtype.kind != "f" or name not in others:
            continue
        mine, theirs = (float(np.abs(item).max(initial=0)) for item in (array, others[name]))
        if theirs and (mine > _UNLIKE * theirs or mine * _UNLIKE < theirs):
            found.append(f"{name} reaches {mine:.4g} there, and {theirs:.4g} in the inputs that the job gives")
    return found


def pixels(rows: Mapping[str, Array]) -> list[str]:
    """Float inputs that look like images nobody normalised, which is right for some models: worth a note."""
    return [
        f"{name} holds whole numbers from {array.min():g} to {array.max():g}, like pixels that are not normalised: "
        "right only for a model that takes those"
        for name, array in rows.items()
        if array.dtype.kind == "f" and array.ndim > 2 and _are_pixels(array)
    ]


def _are_pixels(array: Array) -> bool:
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    return low >= 0 and 1 < high <= _PIXEL_LARGEST and bool(np.all(array == np.floor(array)))


def _is_constant(array: Array) -> bool:
    return bool(array.size) and bool(np.all(array == array.flat[0]))


def _different_rows(rows: Mapping[str, Array]) -> int:
    return len(set(contents(rows)))


def contents(rows: Mapping[str, Array]) -> list[bytes]:
    """A digest of each row, all inputs together."""
    found = []
    for index in range(len(next(iter(rows.values()), ()))):
        digest = hashlib.sha256()
        for _, array in sorted(rows.items()):
            digest.update(np.ascontiguousarray(array[index]).tobytes())
        found.append(digest.digest())
    return found


def seen_before(rows: Mapping[str, Array], judged: Mapping[str, Array]) -> str:
    """That rows which int8 is held against, and its accuracy is of, are among those it was calibrated with."""
    names = rows.keys() & judged.keys()
    if not names or names != rows.keys():
        return ""
    learnt, against = set(contents(rows)), contents({name: judged[name] for name in names})
    count = sum(row in learnt for row in against)
    if not count:
        return ""
    shown = f"{count} of {counted(len(against), 'row')}"
    return f"{shown} of evaluation data {are(count)} among the calibration rows, which flatters int8"
