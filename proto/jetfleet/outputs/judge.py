"""One output held against its reference, the same on the workstation and on the device. Pure but for numpy.

One number over a whole tensor is blind: its largest values win. So the tensor passes when the whole and every slice
that means something pass.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from jetfleet.outputs.bounds import INTEGERS, Array, Bounds, Judgement, Rule, Rules, difference_of_shapes
from jetfleet.outputs.classes import compare_classes
from jetfleet.outputs.integers import judge_integers
from jetfleet.outputs.labels import set_label
from jetfleet.outputs.sets import judge_set
from jetfleet.outputs.slices import worst_slice
from jetfleet.outputs.varying import lost_behind_offset


def judge_all(got: Mapping[str, Array], want: Mapping[str, Array], rules: Rules) -> dict[str, Judgement]:
    """Every reference output, by name; the outputs of a set together, as "boxes+scores". Without those that are off.

    Raises ValueError for a reference that is not of numbers.
    """
    found: dict[str, Judgement] = {}
    in_sets: set[str] = set()
    for outputs, bounds in rules.sets.items():
        names = [name for name in outputs if name in want]
        in_sets.update(names)
        if names:
            found[set_label(names)] = _judge_group(names, got, want, bounds)
    for name, array in want.items():
        bounds = rules.outputs.get(name, rules.bounds)
        if name not in in_sets and bounds.rule is not Rule.OFF:
            found[name] = judge(got.get(name), array, bounds)
    return found


def _judge_group(
    names: Sequence[str], got: Mapping[str, Array], want: Mapping[str, Array], bounds: Bounds
) -> Judgement:
    missing = [name for name in names if name not in got]
    if missing:
        return Judgement(False, f"there is no output {missing[0]!r}")
    return judge_set([got[name] for name in names], [want[name] for name in names], bounds)


def judge(got: Array | None, want: Array, bounds: Bounds) -> Judgement:
    """One output against its reference. Raises ValueError for a reference that is not of numbers."""
    if want.dtype.kind not in "f" + INTEGERS:
        raise ValueError(f"a reference of {want.dtype} cannot be compared")
    if got is None:
        return Judgement(False, "there is no such output")
    if bounds.rule is Rule.SET:
        return judge_set([got], [want], bounds)
    if got.shape != want.shape or not _same_kind(got, want):
        return Judgement(False, difference_of_shapes(got, want))
    if want.dtype.kind in INTEGERS:
        return judge_integers(got, want, bounds)
    return _judge_floats(got, want, bounds)


def reference_fault(want: Array) -> str:
    """Why nothing can be held against this reference, or an empty string."""
    if want.size and want.dtype.kind == "f" and not np.isfinite(want).any():
        return "no element of it is a finite number"
    return ""


def reference_weakness(want: Array) -> str:
    """Why this reference can show few faults, or an empty string: a constant is easily right."""
    if want.size == 0:
        return "it is empty"
    if want.size > 1 and np.all(want == want.flat[0]):
        return f"every element of it is {want.flat[0]:g}"
    return ""


def _same_kind(got: Array, want: Array) -> bool:
    """One type, or integers of any width, whose values tell: TensorRT 8.x makes int32 of a graph's int64."""
    return got.dtype == want.dtype or (got.dtype.kind in "iu" and want.dtype.kind in "iu")


def _judge_floats(got: Array, want: Array, bounds: Bounds) -> Judgement:
    a, b = got.astype(np.float64), want.astype(np.float64)
    comparable = np.isfinite(a) & np.isfinite(b)
    found = _metrics(a[comparable], b[comparable])
    # An infinity or NaN must be where the reference has it, whatever the rule.
    strange = ~comparable & ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if strange.any():
        detail = f"{int(strange.sum())} elements not finite alike, first {_shown(strange, got, want)}"
        return replace(found, passed=False, detail=detail)
    if want.size and not comparable.any():
        return replace(found, passed=False, detail=f"the reference cannot be compared: {reference_fault(want)}")
    classes = compare_classes(a, b, bounds)
    if classes is not None:
        found = replace(found, top1_agreement=classes.agree)
    if bounds.rule is Rule.CLOSE:
        return _judge_close(a, b, comparable=comparable, bounds=bounds, found=found)
    found = _judge_direction(np.where(comparable, a, 0.0), np.where(comparable, b, 0.0), bounds, found)
    if found.passed and classes is not None and classes.turned > 1 - (bounds.min_agreement or 1.0):
        turned = f"{100 * classes.turned:.3g} % of its rows say another class, and not by a near tie"
        return replace(found, passed=False, detail=turned)
    return found


def _metrics(got: Array, want: Array) -> Judgement:
    """Differences over the elements that are finite on both sides; nothing is decided yet."""
    difference = np.abs(got - want)
    nonzero = want != 0
    max_abs = float(difference.max(initial=0.0))
    got_norm, want_norm = float(np.linalg.norm(got)), float(np.linalg.norm(want))
    product = got_norm * want_norm
    cosine = float(got @ want) / product if product > 0 else float(max_abs == 0)
    signal, noise = float(want @ want), float(difference @ difference)
    return Judgement(
        passed=True,
        detail="",
        max_abs=max_abs,
        max_rel=float((difference[nonzero] / np.abs(want[nonzero])).max()) if nonzero.any() else None,
        cosine=cosine,
        norm_ratio=got_norm / want_norm if want_norm > 0 else None,
        snr_db=10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None,
    )


def _judge_close(a: Array, b: Array, *, comparable: Array, bounds: Bounds, found: Judgement) -> Judgement:
    with np.errstate(invalid="ignore"):  # infinity less infinity, where both agree
        off = comparable & (np.abs(a - b) > bounds.atol + bounds.rtol * np.abs(b))
    detail = f"|got - want| <= {bounds.atol:g} + {bounds.rtol:g} |want|"
    if off.any():
        detail = f"{int(off.sum())} of {off.size} break {detail}, first {_shown(off, a, b)}"
    return replace(found, passed=not off.any(), detail=detail)


def _judge_direction(a: Array, b: Array, bounds: Bounds, found: Judgement) -> Judgement:
    whole = _fault_of_whole(bounds, found) or _fault_behind_offset(a, b, bounds)
    worst = worst_slice(a, b, bounds)
    if worst is not None:
        found = replace(
            found,
            worst_slice=worst.where,
            worst_slice_cosine=worst.cosine,
            worst_slice_norm_ratio=worst.norm_ratio,
        )
    if whole:
        return replace(found, passed=False, detail=whole)
    if worst is not None and worst.failed:
        return replace(found, passed=False, detail=worst.fault)
    return replace(found, detail=f"cosine {found.cosine:.6g}, at least {bounds.min_cosine:g} wanted")


def _fault_of_whole(bounds: Bounds, found: Judgement) -> str:
    if found.cosine is not None and found.cosine < bounds.min_cosine:
        return f"cosine {found.cosine:.6g}, at least {bounds.min_cosine:g} wanted"
    allowed = bounds.norm_error(bounds.min_cosine)
    if found.norm_ratio is not None and abs(found.norm_ratio - 1) > allowed:
        return f"norm ratio {found.norm_ratio:.6g}, 1 +- {allowed:.2g} wanted"
    return ""


def _fault_behind_offset(a: Array, b: Array, bounds: Bounds) -> str:
    found = lost_behind_offset(a.reshape(1, -1), b.reshape(1, -1), bounds)
    return "" if found is None else f"it {found.fault}"


def _shown(where: Array, got: Array, want: Array) -> str:
    index = tuple(int(axis) for axis in np.unravel_index(int(where.argmax()), where.shape))
    return f"at {list(index)}: got {got[index]:g}, want {want[index]:g}"
