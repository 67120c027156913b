"""What outputs are held to, and what is found in one: the words of every judgement. Pure."""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
INTEGERS = "biu"


class Rule(str, enum.Enum):
    CLOSE = "close"  # |got - want| <= atol + rtol |want|, every element
    COSINE = "cosine"  # direction and length, of the whole and of every slice
    SET = "set"  # rows in any order, matched
    OFF = "off"


def error_of(cosine: float) -> float:
    """The error, as a share of the length, that costs this cosine when it is orthogonal: e^2 = 2 (1 - cosine)."""
    return math.sqrt(2 * (1 - cosine))


@dataclass(frozen=True)
class Bounds:
    """What passes. Bounds that are None follow from `min_cosine`, see `slice_cosine` and `norm_error`."""

    rule: Rule = Rule.COSINE
    rtol: float = 1e-3
    atol: float = 1e-4
    min_cosine: float = 0.999
    min_slice_cosine: float | None = None
    max_norm_error: float | None = None  # of |got| / |want| - 1
    min_agreement: float = 1.0  # share of equal elements of integers; of matched rows of a set; of rows of one class
    ties: bool = False  # a set's scores tie: see jetfleet/outputs/ties.py
    tolerance: int = 0  # integers this far apart are equal: values that were rounded, never indices or labels

    @property
    def slice_cosine(self) -> float:
        """A slice may lose ten times what the whole may: 0.99 for 0.999, 0.9 for 0.99."""
        if self.min_slice_cosine is not None:
            return self.min_slice_cosine
        return max(-1.0, 1 - 10 * (1 - self.min_cosine))

    @property
    def row_tolerance(self) -> float:
        """How far a column of a matched row may be off, as a share of that column's range."""
        return min(1.0, 10 * (1 - self.min_cosine))

    def norm_error(self, cosine: float) -> float:
        """An error that costs this cosine may as well be along the output."""
        return error_of(cosine) if self.max_norm_error is None else self.max_norm_error


@dataclass(frozen=True)
class Rules:
    """The bounds of every output: `bounds`, but for outputs that have their own, and for those of one set."""

    bounds: Bounds
    outputs: Mapping[str, Bounds] = field(default_factory=dict)
    sets: Mapping[tuple[str, ...], Bounds] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What was found in one output; absent where it does not apply."""

    passed: bool
    detail: str
    max_abs: float | None = None
    max_rel: float | None = None
    cosine: float | None = None
    norm_ratio: float | None = None
    snr_db: float | None = None
    weakness: str = ""  # why this shows few faults
    worst_slice: str = ""  # "axis 1, index 7", the worst of those that were judged
    worst_slice_cosine: float | None = None
    worst_slice_norm_ratio: float | None = None
    equal_share: float | None = None
    top1_agreement: float | None = None  # of rows of scores


def difference_of_shapes(got: Array, want: Array) -> str:
    said = f"got {got.dtype}{list(got.shape)}, want {want.dtype}{list(want.shape)}"
    if got.ndim == want.ndim and got.shape != want.shape and got.shape[1:] == want.shape[1:]:
        return f"{said}: {got.shape[0]} rows instead of {want.shape[0]}"
    return said
