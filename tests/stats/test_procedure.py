"""The power that is claimed of a comparison in turns is the one that it has: for what ends it, and for tails."""

import math
import random
from statistics import fmean

import pytest

from jetfleet.stats.decision import Relation
from jetfleet.stats.interleaved import (
    BIAS,
    CONFIDENCE,
    LOOKS,
    deviation_of,
    find,
    is_decided,
    power_at_one_look,
    procedure_of,
)
from jetfleet.stats.looks import Looks, planned
from jetfleet.stats.procedure import Procedure
from jetfleet.stats.welch import paired_ratio

MARGIN, POINTS = 0.01, 0.1
OUTSIDE = 1 - CONFIDENCE


def series(effect: float, deviation: float, chance: random.Random) -> list[float]:
    """Processes until a look decides."""
    ratios: list[float] = []
    while len(ratios) < LOOKS.at[-1] and not is_decided(ratios, LOOKS, margin=MARGIN, confidence=CONFIDENCE):
        ratios.append(math.exp(chance.gauss(math.log1p(effect), deviation)))
    return ratios


def is_told(ratios: list[float], looks: Looks = LOOKS) -> bool:
    found = find(ratios, looks, margin=MARGIN, confidence=CONFIDENCE)
    return found is not None and found.relation is Relation.ABOVE


@pytest.mark.parametrize("effect", [0.02, 0.05])
@pytest.mark.parametrize("deviation", [0.005, 0.023, 0.04, 0.08])
def test_the_claimed_power_of_p50_is_what_is_found(effect: float, deviation: float) -> None:
    chance = random.Random(1)
    done = [series(effect, deviation, chance) for _ in range(250)]
    told = fmean(is_told(ratios) for ratios in done)
    claims = [
        procedure_of(ratios, LOOKS, margin=MARGIN, confidence=CONFIDENCE).power(
            effect, deviation_of(paired_ratio(ratios), len(ratios)), len(ratios)
        )
        for ratios in done[:16]
    ]
    assert fmean(claims) == pytest.approx(told, abs=POINTS)


@pytest.mark.parametrize("count", [6, 12, 24])
@pytest.mark.parametrize("deviation", [0.015, 0.04, 0.1])
def test_the_claimed_power_of_a_tail_is_what_is_found(count: int, deviation: float) -> None:
    """Whose processes are a fixed number, or ended by p50: one look. Fewer than six know their spread too little."""
    chance, looks, effect = random.Random(2), planned(count), 0.05
    done = [[math.exp(chance.gauss(math.log1p(effect), deviation)) for _ in range(count)] for _ in range(300)]
    claims = [
        power_at_one_look(paired_ratio(ratios), looks, count, outside=OUTSIDE, difference=effect)
        for ratios in done[:60]
    ]
    assert fmean(claims) == pytest.approx(fmean(is_told(ratios, looks) for ratios in done), abs=POINTS)


@pytest.mark.parametrize("deviation", [0.01, 0.04])
def test_a_repeat_tells_the_smallest_difference_as_often_as_is_claimed(deviation: float) -> None:
    """Each series claims its own, by the spread that it saw. Where that is small, the margin decides."""
    chance = random.Random(3)
    told = 0
    for _ in range(200):
        ratios = series(0.0, deviation, chance)
        rule = procedure_of(ratios, LOOKS, margin=MARGIN, confidence=CONFIDENCE)
        claimed = rule.smallest(deviation_of(paired_ratio(ratios), len(ratios)), len(ratios))
        told += is_told(series(claimed, deviation, chance))
    assert told / 200 == pytest.approx(0.8, abs=POINTS)


def test_looks_that_were_never_to_come_are_not_claimed() -> None:
    """Time was up after 6 processes: what 24 would have shown is no claim of theirs."""
    ratios = [1.0, 1.04, 0.98, 1.03, 1.01, 0.97]
    cut = procedure_of(ratios, LOOKS, margin=MARGIN, confidence=CONFIDENCE)
    whole = Procedure(LOOKS, MARGIN, OUTSIDE, OUTSIDE, BIAS)
    assert cut.looks.at == (4, 6)
    assert cut.smallest(0.02, 6) > 1.5 * whole.smallest(0.02, 6)


def test_processes_that_agree_entirely_tell_all_beyond_the_margin() -> None:
    rule = Procedure(LOOKS, MARGIN, OUTSIDE, OUTSIDE, BIAS)
    assert (rule.power(0.02, 0.0, 4), rule.power(0.005, 0.0, 4), rule.smallest(0.0, 4)) == (1.0, 0.0, MARGIN)
