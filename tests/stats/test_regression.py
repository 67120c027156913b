"""Whether something got worse by more than it may: what is said of an interval, and how often that is right."""

import math
import random

import pytest

from jetfleet.stats.looks import planned
from jetfleet.stats.regression import LimitRule, Regression, processes_needed, regression

LOOKS = planned(4, 6, 8, 12, 16, 24)
RULE = LimitRule(LOOKS)
LIMIT = 0.03


def procedure(effect: float, deviation: float, generator: random.Random) -> tuple[Regression, int]:
    """Processes one after the other, as the agent runs them."""
    ratios: list[float] = []
    while len(ratios) < LOOKS.at[-1] and not RULE.is_over({"p50_ms": ratios}, {"p50_ms": LIMIT}):
        ratios.append(math.exp(generator.gauss(math.log1p(effect), deviation)))
    return RULE.of(ratios, LIMIT), len(ratios)


@pytest.mark.parametrize("deviation", [0.005, 0.023])
def test_five_per_cent_are_beyond_three_and_nothing_is_within(deviation: float) -> None:
    generator = random.Random(1)
    slower = [procedure(0.05, deviation, generator)[0] for _ in range(200)]
    equal = [procedure(0.0, deviation, generator)[0] for _ in range(200)]
    assert slower.count(Regression.BEYOND) >= 0.95 * 200
    assert equal.count(Regression.WITHIN) >= 0.99 * 200
    assert equal.count(Regression.BEYOND) == 0


def test_what_is_just_the_limit_is_seldom_said_to_keep_it_or_to_break_it() -> None:
    generator = random.Random(2)
    found = [procedure(LIMIT, 0.01, generator)[0] for _ in range(500)]
    assert found.count(Regression.BEYOND) <= 22  # 12.5 expected at most, and 22 or fewer in 99.5 % of such series
    assert found.count(Regression.WITHIN) <= 22


@pytest.mark.parametrize(
    ("least", "most", "by_chance", "expected"),
    [
        (-0.01, 0.03, True, Regression.WITHIN),
        (0.01, 0.029, False, Regression.WITHIN),
        (0.02, 0.04, False, Regression.UNDECIDED),
        (0.031, 0.05, False, Regression.BEYOND),
        (0.031, 0.05, True, Regression.UNDECIDED),
    ],
)
def test_an_interval_against_a_limit(least: float, most: float, by_chance: bool, expected: Regression) -> None:
    assert regression(least, most, LIMIT, by_chance=by_chance) is expected


def test_every_limit_must_be_known_and_only_at_a_planned_look() -> None:
    clear, unclear = [1.0, 1.001, 0.999, 1.0], [0.8, 1.3, 0.7, 1.4]
    limits = {"p50_ms": LIMIT, "p99_ms": 0.05}
    assert RULE.is_over({"p50_ms": clear, "p99_ms": clear}, limits)
    assert not RULE.is_over({"p50_ms": clear, "p99_ms": unclear}, limits)
    assert not RULE.is_over({"p50_ms": [*clear, 1.0], "p99_ms": [*clear, 1.0]}, limits)


def test_what_it_would_take_to_know_is_by_the_distance_from_the_limit() -> None:
    ratios = [1.05 * math.exp(0.02 * sign) for sign in (-1, 1) * 4]
    near, far = processes_needed(ratios, 0.04), processes_needed(ratios, 0.0)
    assert near is not None
    assert far is not None
    assert far < 12 < near
