"""What outputs are held to where a job says nothing, by the name of a precision (fp32, tf32, fp16, int8). Pure."""

RTOL, ATOL = 1e-3, 1e-4

_EXACT, _COARSE = "fp32", "int8"


def rule_name(precision: str) -> str:
    """Element by element where both sides compute alike, else by direction and length."""
    return "close" if precision == _EXACT else "cosine"


def min_cosine(precision: str) -> float:
    return 0.99 if precision == _COARSE else 0.999


def min_equal(precision: str) -> float:
    """Share of equal elements of integers: an ArgMax turns over where two scores nearly tie."""
    return _share(precision)


def min_matched(precision: str) -> float:
    """Share of matched rows of a set: those near the last place come and go with the precision."""
    return _share(precision)


def _share(precision: str) -> float:
    return {_EXACT: 1.0, _COARSE: 0.9}.get(precision, 0.95)
