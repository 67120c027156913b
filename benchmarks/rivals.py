"""Other ways to compare two programs, on the same samples: what they would have called different.

Each gets what it would have had in the same time: the first program's samples of every other process, and the second's
of those between. For nobody but us times both in one process.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jetfleet.stats.student import point, two_sided

Samples = Sequence[NDArray[np.float64]]  # an array for each process

GATE = 0.03
_PARTS = 3  # values that pyperf takes in a process
_PYPERF_LEVEL = 0.05
_RANKS_LEVEL = 0.01


def apart(first: Samples, second: Samples) -> tuple[Samples, Samples]:
    """The first one's even processes, the second one's odd ones."""
    return first[0::2], second[1::2]


def fixed_gate(first: Samples, second: Samples) -> int:
    """One run of each, and a difference of 3 % of their medians: 1 slower, -1 faster, 0 neither."""
    ratio = float(np.median(second[0]) / np.median(first[0]))
    return _sign(ratio - 1) if abs(ratio - 1) > GATE else 0


def pyperf_compare(first: Samples, second: Samples) -> int:
    """`pyperf compare_to`: Student's t of all values, some from each process, at 95 %."""
    one, other = (_values(item) for item in (first, second))
    n, m = len(one), len(other)
    pooled = ((n - 1) * one.var(ddof=1) + (m - 1) * other.var(ddof=1)) / (n + m - 2)
    error = math.sqrt(float(pooled) * (1 / n + 1 / m))
    t = float(other.mean() - one.mean()) / error if error else 0.0
    return _sign(t) if abs(t) >= point(_PYPERF_LEVEL, n + m - 2) else 0


def rank_test(first: Samples, second: Samples) -> int:
    """Mann and Whitney's test on all samples as if they were independent, at 99 %."""
    one, other = np.concatenate(first), np.concatenate(second)
    n, m = len(one), len(other)
    ordered = np.sort(one)
    below = np.searchsorted(ordered, other, side="left").sum()
    ties = np.searchsorted(ordered, other, side="right").sum() - below
    excess = float(below + ties / 2 - n * m / 2)
    z = excess / math.sqrt(n * m * (n + m + 1) / 12)
    return _sign(z) if two_sided(z, math.inf) < _RANKS_LEVEL else 0


RIVALS: Mapping[str, Callable[[Samples, Samples], int]] = {
    "a gate of +-3 % on single runs": fixed_gate,
    "pyperf compare_to (t test, 95 %)": pyperf_compare,
    "Mann-Whitney on pooled samples (99 %)": rank_test,
}


def _values(processes: Samples) -> NDArray[np.float64]:
    return np.array([part.mean() for samples in processes for part in np.array_split(samples, _PARTS)])


def _sign(value: float) -> int:
    return 1 if value > 0 else -1
