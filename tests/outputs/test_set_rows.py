"""Where the rows of a set are: detectors put them on different axes, and counts of rows beside them."""

import numpy as np
import pytest

from jetfleet.outputs.bounds import Bounds, Rule
from jetfleet.outputs.judge import judge
from jetfleet.outputs.set_rows import rows_of, sets_in, side_by_side
from jetfleet.outputs.sets import judge_set

SET = Bounds(rule=Rule.SET, min_cosine=0.999)
KEPT = 30


def answer(samples, order=None):
    """Boxes, masks, scores, labels and a count of KEPT rows, the rows in another order where one is given."""
    rng = np.random.default_rng(0)
    shapes = {"box": (KEPT, 4), "mask": (KEPT, 5, 6), "score": (KEPT,)}
    made = {name: rng.normal(size=(samples, *shape)).astype(np.float32) for name, shape in shapes.items()}
    made["label"] = rng.integers(0, 80, (samples, KEPT))
    if order is not None:
        made = {name: array[:, order] for name, array in made.items()}
    return {**made, "turned": np.moveaxis(made["box"], 1, 2), "count": np.full((samples, 1), KEPT)}


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize(
    "names",
    [
        ("box", "score", "label"),
        ("turned", "score", "label"),
        ("score", "label", "turned"),
        ("mask", "box"),
        ("box", "mask", "score"),
        ("mask", "score"),
        ("mask", "turned", "label"),
    ],
)
def test_rows_are_found_on_any_axis(samples, names):
    want, got = answer(samples), answer(samples, order=np.random.default_rng(1).permutation(KEPT))
    assert rows_of([want[name] for name in names]).shape[0] == samples * KEPT
    found = judge_set([got[name] for name in names], [want[name] for name in names], SET)
    assert (found.passed, found.equal_share) == (True, 1)
    got[names[0]] = got[names[0]][::-1] * np.float32(1.5)
    assert not judge_set([got[name] for name in names], [want[name] for name in names], SET).passed


def test_rows_without_a_sample_axis_are_as_many():
    box, score = answer(1)["box"][0], answer(1)["score"][0]
    assert rows_of([box, score]).shape == (KEPT, 1 + 4 + 1)
    assert rows_of([box[:1], score[:1]]).shape == (1, 1 + 4 + 1)


@pytest.mark.parametrize("samples", [1, 2])
def test_a_count_is_no_column_of_the_rows(samples):
    want = answer(samples)
    assert side_by_side(want) == ("box", "mask", "score", "label", "turned")
    assert side_by_side({"count": want["count"], "box": want["box"], "label": want["label"]}) == ("box", "label")
    assert side_by_side({}) == ()
    found = judge_set([want["box"], want["count"]], [want["box"], want["count"]], SET)
    said = f"the outputs of the set do not have one number of rows: float32[{samples}, 30, 4] and int64[{samples}, 1]"
    assert (found.passed, found.detail) == (False, said)


@pytest.mark.parametrize("shape", [(1, 0, 4), (2, 0, 4), (0, 4), (0,), (1, 0), (1, 0, 5, 6), (0, 3, 4)])
def test_no_rows_match_no_rows(shape):
    empty = np.zeros(shape, np.float32)
    assert judge(empty, empty, SET).passed


def test_other_shapes_are_told():
    want = answer(2)
    found = judge_set([want["box"][..., :3], want["score"]], [want["box"], want["score"]], SET)
    wanted = (
        "the set's outputs have other shapes: got float32[2, 30, 3] and float32[2, 30], want float32[2, 30, 4] and "
    )
    assert (found.passed, found.detail) == (False, f"{wanted}float32[2, 30]")
    scalar = judge(np.float32(1), np.int64(1), SET)
    assert (scalar.passed, scalar.detail) == (False, "got float32[], want int64[]")


def test_samples_are_matched_one_by_one_however_many():
    """A batch of 20 images has more rows than a matching of all with all holds."""
    want = np.random.default_rng(0).uniform(0, 640, (20, 300, 5)).astype(np.float32)
    got = want[:, np.random.default_rng(1).permutation(300)]
    assert judge(got, want, SET).passed
    assert judge(np.roll(got, 1, axis=0), want, SET).equal_share < 0.01
    found = judge(np.zeros((1, 5000, 2)), np.zeros((1, 5000, 2)), SET)
    assert found.detail == "a set of 5000 rows in a sample is too large to be matched, at most 4096"


def test_outputs_of_other_samples_are_sets_of_their_own():
    """A decoder's layers beside its last one, and a count of rows, which is no set."""
    want = {
        "logits": np.zeros((1, 20, 5)),
        "layers": np.zeros((1, 2, 20, 5)),
        "scores": np.zeros((1, 20)),
        "inner": np.zeros((1, 2, 20, 32)),
        "count": np.zeros((1, 1)),
    }
    assert sets_in(want) == [("logits", "scores"), ("layers", "inner")]
    assert sets_in({}) == []
