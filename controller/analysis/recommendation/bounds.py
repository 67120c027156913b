"""An estimate against a constraint, and one estimate against another: what their intervals support. Pure."""

import math

from controller.model.quantities import QUANTITIES, at_most
from controller.model.recommendation import Bound, Configuration, Constraint, Held
from controller.model.result import Estimate
from jetfleet.metrics import Better


def hold(configuration: Configuration, constraint: Constraint) -> Held:
    """MET only with the whole interval: a deadline kept by luck is not kept."""
    found = configuration.estimate(constraint.quantity)
    name, limit = constraint.quantity, constraint.limit
    if found.value is None:
        return Held(constraint, Bound.UNKNOWN, found, None, f"{name} unknown: {found.reason or 'not measured'}")
    excess = _excess(found.value, limit, upper=at_most(name))
    if excess > 0:
        side = "above" if at_most(name) else "below"
        by = f" by {excess:.1%}" if limit else ""
        return Held(constraint, Bound.NOT_MET, found, excess, f"{name} {found.value:.4g} is {side} {limit:.4g}{by}")
    doubt = _doubt(name, found, limit)
    return Held(constraint, Bound.NOT_SHOWN if doubt else Bound.MET, found, excess, doubt)


def _doubt(name: str, found: Estimate, limit: float) -> str:
    """Why a value within the limit is not shown to be; empty if it is."""
    edge = found.high if at_most(name) else found.low
    if edge is None:
        why = found.reason or "it has no interval"
        return f"{name} {found.value:.4g} is not shown: {why}" if QUANTITIES[name].has_interval else ""
    if _excess(edge, limit, upper=at_most(name)) > 0:
        return f"{name} {found.value:.4g} is within {limit:.4g}, but its interval reaches {edge:.4g}"
    return ""


def _excess(value: float, limit: float, *, upper: bool) -> float:
    """By how much of the limit it is missed; negative: what is left."""
    over = value - limit if upper else limit - value
    return over / abs(limit) if limit else over


def behind(name: str, other: Estimate, best: Estimate) -> Estimate:
    """How much worse `other` is than `best`, as a ratio: above 1 is worse; with the interval that theirs support."""
    upper, lower = (other, best) if QUANTITIES[name].better is Better.LOWER else (best, other)
    if not upper.value or not lower.value:
        return Estimate(None, reason="no ratio: a value is 0 or unknown")
    value = upper.value / lower.value
    down = _both(_reach(_low(name, upper), upper.value), _reach(_high(name, lower), lower.value))
    up = _both(_reach(_high(name, upper), upper.value), _reach(_low(name, lower), lower.value))
    if down is None or up is None:
        return Estimate(value, reason="no interval")
    return Estimate(value, value / down, value * up)


def is_worse(name: str, other: Estimate, best: Estimate) -> bool:
    """Whether the intervals say so; by values where the quantity has none by its nature."""
    found = behind(name, other, best)
    if found.value is not None:
        return found.low is not None and found.low > 1
    upper, lower = (other, best) if QUANTITIES[name].better is Better.LOWER else (best, other)
    low, high = _low(name, upper), _high(name, lower)  # one is 0, and has no ratio
    return low is not None and high is not None and low > high


def _both(one: float | None, other: float | None) -> float | None:
    """The reach of a ratio whose parts reach as far as that, as factors from 1 up, independently of each other: the
    square root of the sum of squares of their logarithms (MOVER: Zou and Donner, Statistics in Medicine 27 (2008)).
    """
    return None if one is None or other is None else math.exp(math.hypot(math.log(one), math.log(other)))


def _reach(end: float | None, value: float) -> float | None:
    """How far the interval's end is from the value, as a factor from 1 up."""
    if end is None or end <= 0 or value <= 0:
        return None
    return max(end / value, value / end)


def _low(name: str, item: Estimate) -> float | None:
    return item.low if QUANTITIES[name].has_interval or item.low is not None else item.value


def _high(name: str, item: Estimate) -> float | None:
    return item.high if QUANTITIES[name].has_interval or item.high is not None else item.value
