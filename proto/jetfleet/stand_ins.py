"""Inputs that stand in where a job brings none: made so that a fault can show, by the words that job.yaml has for them.

A mask of 0 hides everything, a black image is as good as no image, and an index of 0 reads one row of a table. Pure but
for numpy; one home for the workstation, which makes references, and the agent, which runs tasks that bring none.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
NORMAL, ARANGE, ZERO, ONE, BITS = "normal", "arange", "constant[0]", "constant[1]", "uniform[0,1]"
_ATTENTION_MASK = re.compile(r"att(ention|n)?_?mask", re.IGNORECASE)
_PADDING = re.compile(r"pad", re.IGNORECASE)
_POSITIONS = re.compile(r"position|pos_?ids?$", re.IGNORECASE)
_LENGTHS = re.compile(r"len(gth)?s?(_|$)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+0-9.eE]+")
_SMALL = {"uint8": "uniform[0,255]", "int8": "uniform[-128,127]"}


def words_for(name: str, dtype: str, *, rank: int, rows: int | None = None) -> str:
    """What to fill an input with; `rows`: those of the smallest table that it is an index of, where that is known."""
    kind = np.dtype(dtype).kind
    if kind == "f":
        return ONE if _ATTENTION_MASK.search(name) else NORMAL
    if "mask" in name.lower():
        # PyTorch's boolean padding masks say what to leave out, all others what to keep.
        return ZERO if kind == "b" and _PADDING.search(name) else ONE
    return BITS if kind == "b" else _words_for_integers(name, dtype, rank=rank, rows=rows)


def _words_for_integers(name: str, dtype: str, *, rank: int, rows: int | None) -> str:
    if _POSITIONS.search(name) and rank:
        return ARANGE
    if rows is not None:
        return f"uniform[0,{max(rows - 1, 0)}]"
    if dtype in _SMALL:
        return _SMALL[dtype]
    if _LENGTHS.search(name):
        return ONE
    return BITS if rank else ZERO


def draw(words: str, shape: Sequence[int], dtype: str, *, generator: np.random.Generator) -> _Array:
    """An array that the words describe. Bounds of integers are within it."""
    kind = np.dtype(dtype)
    numbers = [float(word) for word in _NUMBER.findall(words.partition("[")[2])]
    if words == ARANGE:
        return np.array(np.broadcast_to(np.arange(shape[-1] if shape else 1).astype(kind), shape))
    if words == NORMAL:
        return np.asarray(generator.standard_normal(shape), dtype=kind)
    if words.startswith("constant"):
        return np.full(shape, numbers[0], dtype=kind)
    if kind.kind == "f":
        return np.asarray(generator.uniform(numbers[0], numbers[1], shape), dtype=kind)
    low, high = int(numbers[0]), int(numbers[1])
    return np.asarray(generator.integers(low, high, shape, dtype=np.int64, endpoint=True), dtype=kind)
