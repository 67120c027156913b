"""Statistics of latencies: nearest-rank percentiles, and intervals that know that neighbouring samples are alike.

Pure functions on arrays in time order. Knows nothing of clocks, sessions or messages.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from jetfleet.stats.percentiles import CONFIDENCE, interval_ranks, rank
from jetfleet.stats.student import point

Floats = NDArray[np.float64]

MIN_ROUNDS = 5  # fewer blocks than this, and a bootstrap over them says nothing
_GRID = 512
_NORMAL = NormalDist()


def nearest_rank(ordered: Floats, share: float) -> float:
    """The smallest sample with at least `share` of all samples at or below it. `ordered` ascends, 0 < share <= 1."""
    return float(ordered[rank(len(ordered), share) - 1])


def effective_size(samples: Floats, threshold: float) -> float:
    """How many independent samples know as much about "at or below threshold" as these: at least 1, at most n.

    n / (1 + 2 * sum of autocorrelations) of the indicator series, summed while pairs of them stay positive: the initial
    positive sequence, Geyer, Practical Markov Chain Monte Carlo, Statistical Science 7 (1992), section 3.3. The
    indicator and not the latency, because the variance of a percentile is that of the count below it.
    """
    # Where samples tie at the threshold, "at" belongs to either side: the worse of the two is believed.
    return min(_effective(samples <= threshold), _effective(samples < threshold))


def _effective(indicator: NDArray[np.bool_]) -> float:
    n = len(indicator)
    series = indicator - indicator.mean()
    variance = float(series @ series)
    if variance == 0.0 or n < 4:
        return float(n)
    size = 1 << (2 * n - 1).bit_length()  # padded, so that the circular correlation is the linear one
    spectrum = np.fft.rfft(series, size)
    correlation = np.fft.irfft(spectrum * np.conj(spectrum), size)[: n - n % 2] / variance
    pairs = correlation[0::2] + correlation[1::2]
    negative = np.flatnonzero(pairs <= 0)
    kept = pairs[: negative[0]] if len(negative) else pairs
    inflation = 2.0 * float(kept.sum()) - 1.0
    return min(float(n), max(1.0, n / max(inflation, 1.0)))


def tail_interval(ordered: Floats, share: float, effective_n: float) -> tuple[float, float] | None:
    """95 % interval of a percentile from order statistics, as if there were `effective_n` samples; None if too few.

    Ranks from the binomial distribution, then stretched over the samples there are.
    """
    ranks = interval_ranks(math.floor(effective_n), share)
    if ranks is None:
        return None
    stretch = len(ordered) / math.floor(effective_n)
    low = max(1, math.floor(ranks[0] * stretch))
    high = min(len(ordered), math.ceil(ranks[1] * stretch))
    return float(ordered[low - 1]), float(ordered[high - 1])


def median_interval(rounds: Sequence[Floats], *, replicates: int = 2000, seed: int = 0) -> tuple[float, float] | None:
    """95 % interval of the median of all samples, by bootstrap over whole rounds; None with fewer than MIN_ROUNDS.

    A round is a block: what is correlated inside it stays together (cluster bootstrap, Davison and Hinkley, Bootstrap
    Methods and their Application, section 3.8). With few blocks the plain percentile interval is too short, so its
    probabilities are expanded as if by Student's t: Hesterberg, What Teachers Should Know About the Bootstrap, The
    American Statistician 69 (2015), section 3.3.
    """
    count = len(rounds)
    if count < MIN_ROUNDS:
        return None
    pooled = np.sort(np.concatenate(rounds))
    medians = [nearest_rank(np.sort(block), 0.5) for block in rounds]
    # The median of any union of rounds lies between the smallest and the largest of their medians.
    grid = np.unique(pooled[(pooled >= min(medians)) & (pooled <= max(medians))])
    if len(grid) > _GRID:
        grid = grid[np.linspace(0, len(grid) - 1, _GRID).round().astype(np.intp)]
    below = np.stack([np.searchsorted(np.sort(block), grid, side="right") for block in rounds]).astype(np.int64)
    sizes = np.array([len(block) for block in rounds], dtype=np.int64)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=replicates)
    enough = 2 * (drawn @ below) >= (drawn @ sizes)[:, None]
    found = np.sort(grid[enough.argmax(axis=1)])
    tail = _expanded_tail(count)
    return nearest_rank(found, tail), nearest_rank(found, 1 - tail)


def _expanded_tail(count: int) -> float:
    return _NORMAL.cdf(-math.sqrt(count / (count - 1)) * point(1 - CONFIDENCE, count - 1))


def drift(round_medians: Sequence[float]) -> float | None:
    """How far the median of the last third of rounds is above that of the first, relative; None with fewer than 3."""
    third = len(round_medians) // 3
    if not third:
        return None
    first, last = float(np.median(round_medians[:third])), float(np.median(round_medians[-third:]))
    return last / first - 1.0 if first > 0 else None
