"""The regularised incomplete beta function, from which Student's t and the binomial distribution follow."""

import math

_TINY = 1e-300  # stands for 0 in a denominator (modified Lentz, NIST Digital Library 3.10)
_PRECISION = 1e-15
_MOST_STEPS = 10_000


def incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), to about 1e-12 relative. NIST Digital Library of Mathematical Functions, 8.17.22."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1) / (a + b + 2):  # where the fraction of the mirrored one converges faster
        return 1.0 - incomplete_beta(1.0 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)), by the modified method of Lentz."""
    value, above, below = 1.0, 1.0, 0.0
    for step in range(1, _MOST_STEPS):
        term = _term(step, x, a, b)
        below = 1.0 / _not_zero(1.0 + term * below)
        above = _not_zero(1.0 + term / above)
        value *= above * below
        if abs(above * below - 1.0) < _PRECISION:
            break
    return value


def _term(step: int, x: float, a: float, b: float) -> float:
    half = step // 2
    if step % 2 == 0:
        return half * (b - half) * x / ((a + step - 1) * (a + step))
    return -(a + half) * (a + b + half) * x / ((a + step - 1) * (a + step))


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
