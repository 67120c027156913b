"""Sets whose scores tie: the tied rows may be others, and nothing else may."""

import numpy as np
import pytest

from jetfleet.outputs.bounds import Bounds, Rule
from jetfleet.outputs.judge import judge
from jetfleet.outputs.sets import judge_set

TIES = Bounds(rule=Rule.SET, min_cosine=0.999, min_agreement=0.95, ties=True)
KEPT = 100


def table(count=3000, seed=0):
    return np.random.default_rng(seed).uniform(0, 640, (count, 4)).astype(np.float32)


def detections(rows, scores):
    """(1, KEPT, 4) boxes, (1, KEPT) scores, (1, KEPT) places."""
    return [table()[rows][None], np.float32(scores)[None], rows[None]]


def chosen(seed, *, sure=0):
    """The first rows by their score, the others any of those that tie."""
    others = sure + np.random.default_rng(seed).permutation(3000 - sure)[: KEPT - sure]
    scores = np.full(KEPT, 0.5)
    scores[:sure] = np.linspace(0.95, 0.6, sure)
    return detections(np.concatenate([np.arange(sure), others]), scores)


def test_rows_that_all_tie_may_all_be_others():
    found = judge_set(chosen(1), chosen(2), TIES)
    assert found.passed
    assert found.weakness == "100 of 100 rows tie, so that which are chosen is arbitrary"
    assert not judge_set(chosen(1), chosen(2), Bounds(rule=Rule.SET, min_agreement=0.95)).passed


def test_rows_above_the_tie_must_be_there():
    want = chosen(2, sure=60)
    found = judge_set(chosen(1, sure=60), want, TIES)
    assert (found.passed, found.weakness, found.equal_share) == (True, "", 1)
    got = chosen(1, sure=60)
    got[0][0, :10] = got[0][0, :10][:, ::-1]
    found = judge_set(got, want, TIES)
    assert not found.passed
    assert found.detail == "50 of 60 rows above the tie matched, at least 95 % wanted; 40 of 100 rows tie"


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (lambda box, score, place: [0 * box, score, place], "the size of its numbers is 0"),
        (lambda box, score, place: [10 * box, score, place], "the size of its numbers is 10 "),
        (lambda box, score, place: [0 * box + 320, score, place], "the spread of its numbers is 0"),
        (lambda box, score, place: [box, 0 * score, place], "the scores of sample 0 are others"),
        (lambda box, score, place: [box, score + 0.4 * (np.arange(KEPT) == 3), place], "the scores of sample 0"),
        (lambda box, score, place: [np.where(np.arange(4) == 1, np.nan, box), score, place], "not every number"),
    ],
)
def test_what_ties_cannot_change_is_held(plant, said):
    found = judge_set(plant(*chosen(1)), chosen(2), TIES)
    assert not found.passed
    assert found.detail.startswith(said)


def test_near_ties_of_half_precision_tie():
    want = chosen(2)
    want[1] += np.sort(np.random.default_rng(0).normal(0, 1e-4, KEPT).astype(np.float32))[::-1]
    assert judge_set(chosen(1), want, TIES).passed


def test_without_scores_among_the_outputs_every_row_ties():
    boxes = [chosen(1)[0]], [chosen(2)[0]]
    found = judge_set(*boxes, TIES)
    assert (found.passed, bool(found.weakness)) == (True, True)
    assert not judge_set([0 * boxes[0][0]], boxes[1], TIES).passed


def test_rows_that_agree_are_no_weakness():
    found = judge(chosen(1)[0], chosen(1)[0][:, ::-1], TIES)
    assert (found.passed, found.weakness, found.equal_share) == (True, "", 1)


def test_one_row_above_the_tie_is_held_by_the_range_of_all():
    """INT8, the best five of fifty scores: the last is another, the first off by a tenth of what they range over."""
    want = [np.float32([[8.95, 5.40, 4.73, 4.68, 4.24]]), np.array([[8, 30, 26, 23, 3]])]
    got = [np.float32([[8.52, 5.19, 4.53, 4.39, 4.26]]), np.array([[8, 30, 26, 23, 24]])]
    bounds = Bounds(rule=Rule.SET, min_cosine=0.99, min_agreement=0.9, ties=True)
    assert (
        judge_set(got, want, bounds).detail
        == "1 of 1 rows above the tie matched, at least 90 % wanted; 4 of 5 rows tie"
    )
    assert not judge_set([got[0], np.array([[9, 30, 26, 23, 24]])], want, bounds).passed
    assert not judge_set([np.float32([[7.0, 5.19, 4.53, 4.39, 4.26]]), got[1]], want, bounds).passed
