"""The Pareto front: what nobody beats in everything. Pure."""

from collections.abc import Sequence

from controller.analysis.recommendation.bounds import is_worse
from controller.model.quantities import QUANTITIES
from controller.model.recommendation import Configuration
from jetfleet.metrics import Better

AXES = ("p50_ms", "energy_mj", "accuracy")


def known_axes(configurations: Sequence[Configuration], axes: Sequence[str] = AXES) -> tuple[str, ...]:
    """Those that every configuration was measured by: an unknown is neither better nor worse."""
    return tuple(
        name
        for name in axes
        if configurations and all(item.estimate(name).value is not None for item in configurations)
    )


def dominates(one: Configuration, other: Configuration, axes: Sequence[str]) -> bool:
    """No worse in anything, and better in something."""
    pairs = [(_cost(one, name), _cost(other, name)) for name in axes]
    return all(mine <= theirs for mine, theirs in pairs) and any(mine < theirs for mine, theirs in pairs)


def beats(one: Configuration, other: Configuration, axes: Sequence[str]) -> bool:
    """Dominates it, and in something by more than their intervals leave open."""
    return dominates(one, other, axes) and any(
        is_worse(name, other.estimate(name), one.estimate(name)) for name in axes
    )


def front(configurations: Sequence[Configuration], axes: Sequence[str]) -> tuple[Configuration, ...]:
    if not axes:
        return ()
    return tuple(item for item in configurations if not any(dominates(other, item, axes) for other in configurations))


def _cost(item: Configuration, name: str) -> float:
    value = item.estimate(name).value
    if value is None:
        return float("inf")
    return value if QUANTITIES[name].better is Better.LOWER else -value
