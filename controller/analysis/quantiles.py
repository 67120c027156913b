"""A distribution in few points: what a picture needs of a million samples. Pure."""

from collections.abc import Sequence

_POINTS = 160


def thinned(ordered: Sequence[float], *, most: int = _POINTS) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Values and the shares of samples at or below them; both ends and the last hundredth in full, the rest thinned."""
    n = len(ordered)
    wanted = {round(index * (n - 1) / (most - 1)) for index in range(most)} if n > most else set(range(n))
    tail_from = max(n - most // 4, int(0.99 * n))
    step = max(1, (n - tail_from) // (most // 4))
    wanted |= {*range(tail_from, n, step), 0, n - 1} if n else set()
    picked = sorted(wanted)
    return tuple(ordered[index] for index in picked), tuple((index + 1) / n for index in picked)
