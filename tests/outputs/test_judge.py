"""Judgements of outputs: what one number over a whole tensor would let pass."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetfleet.outputs.bounds import Bounds, Rule, Rules
from jetfleet.outputs.judge import judge, judge_all, reference_fault, reference_weakness

FP16, INT8 = Bounds(min_cosine=0.999), Bounds(min_cosine=0.99)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def detector(boxes=4, classes=20, anchors=400):
    """(1, boxes + classes, anchors): boxes up to 640, scores up to 1."""
    box = 320 + 100 * noise(1, boxes, anchors)
    scores = 1 / (1 + np.exp(-3 * noise(1, classes, anchors, seed=1)))
    return np.concatenate([box, scores], axis=1).astype(np.float32)


def test_what_is_equal_passes():
    found = judge(noise(2, 8, 40), noise(2, 8, 40), FP16)
    assert found.passed
    assert (found.cosine, found.norm_ratio) == (pytest.approx(1), pytest.approx(1))
    assert found.snr_db is None


@pytest.mark.parametrize("bounds", [FP16, INT8])
def test_scores_that_are_lost_beside_large_boxes_are_found(bounds):
    want = detector()
    got = want.copy()
    got[:, 7] = 0
    found = judge(got, want, bounds)
    assert found.cosine > 0.9999
    assert not found.passed
    assert found.worst_slice == "index 7 of axis 1"
    assert "index 7 of axis 1 has cosine 0" in found.detail


def test_the_last_axis_is_looked_at_too():
    want = np.moveaxis(detector(), 1, 2)
    got = want.copy()
    got[..., 9] *= -1
    assert judge(got, want, INT8).worst_slice == "index 9 of axis 2"


def test_columns_of_a_table_without_a_batch_are_looked_at():
    want = detector()[0].T
    got = want.copy()
    got[:, 11] = got[::-1, 11]
    assert not judge(got, want, INT8).passed


def test_one_wrong_sample_of_many_is_found():
    want = noise(64, 10)
    got = want.copy()
    got[5] = -got[5]
    found = judge(got, want, INT8)
    assert found.cosine > 0.9
    assert found.worst_slice == "sample 5"
    assert not found.passed


def test_a_length_that_is_off_fails_though_the_direction_is_right():
    found = judge(0.5 * noise(1, 8, 64), noise(1, 8, 64), INT8)
    assert found.cosine == pytest.approx(1)
    assert found.norm_ratio == pytest.approx(0.5)
    assert found.detail == "norm ratio 0.5, 1 +- 0.14 wanted"
    assert not found.passed


def test_half_precision_passes_half_precision():
    want = detector()
    assert judge(want.astype(np.float16).astype(np.float32), want, FP16).passed


def test_a_slice_of_zeros_may_not_come_to_life():
    want = noise(1, 4, 64)
    want[:, 2] = 0
    assert judge(want + np.float32(1e-6), want, INT8).passed
    got = want.copy()
    got[:, 2] = 3
    found = judge(got, want, Bounds(min_cosine=-1.0, min_slice_cosine=0.9, max_norm_error=0.5))
    assert not found.passed


def test_a_few_weak_features_of_hundreds_may_be_lost():
    want = noise(1, 64, 768)
    want[..., :3] *= 1e-2
    got = want.copy()
    got[..., :3] = 0
    assert judge(got, want, INT8).passed
    strong = noise(1, 64, 768)
    got = strong.copy()
    got[..., :3] = 0
    assert not judge(got, strong, INT8).passed


@pytest.mark.parametrize(("got", "want"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, -np.inf)])
@pytest.mark.parametrize("rule", [Rule.CLOSE, Rule.COSINE])
def test_what_is_not_finite_must_be_alike(got, want, rule):
    found = judge(np.array([got, 2.0]), np.array([want, 2.0]), Bounds(rule=rule))
    assert not found.passed
    assert "not finite alike" in found.detail


@pytest.mark.parametrize("rule", [Rule.CLOSE, Rule.COSINE])
def test_a_reference_without_a_finite_number_proves_nothing(rule):
    nothing = np.full((2, 3), np.nan)
    assert not judge(nothing, nothing, Bounds(rule=rule)).passed
    assert judge(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), Bounds(rule=rule)).passed
    assert reference_fault(nothing)
    assert not reference_fault(np.array([np.nan, 1.0]))


@pytest.mark.parametrize(
    ("want", "said"), [(np.zeros((0, 4)), "it is empty"), (np.full((3, 4), 2.5), "every element of it is 2.5")]
)
def test_a_weak_reference_is_named(want, said):
    assert reference_weakness(want) == said
    assert not reference_weakness(noise(3, 4))


def test_another_number_of_rows_is_said():
    found = judge(np.zeros((460, 3), np.int64), np.zeros((458, 3), np.int64), INT8)
    assert not found.passed
    assert found.detail == "got int64[460, 3], want int64[458, 3]: 460 rows instead of 458"


def test_integers_are_judged_by_agreement():
    want = np.arange(100)
    got = want.copy()
    got[:2] = -1
    assert not judge(got, want, INT8).passed
    assert judge(got, want, Bounds(min_agreement=0.98)).passed
    assert judge(want.astype(np.int32), want, INT8).passed


def test_close_is_element_by_element():
    want = noise(1, 4, 64)
    got = want.copy()
    got[0, 0, 0] += 1
    found = judge(got, want, Bounds(rule=Rule.CLOSE))
    assert not found.passed
    assert found.detail.startswith("1 of 256 break |got - want| <= 0.0001 + 0.001 |want|, first at [0, 0, 0]")


def test_what_is_not_a_number_cannot_be_compared():
    with pytest.raises(ValueError, match="cannot be compared"):
        judge(np.array(["a"]), np.array(["a"]), INT8)


def test_bounds_follow_from_one_number():
    assert FP16.slice_cosine == pytest.approx(0.99)
    assert INT8.slice_cosine == pytest.approx(0.9)
    assert FP16.norm_error(0.999) == pytest.approx(math.sqrt(0.002))
    assert Bounds(max_norm_error=0.3).norm_error(0.999) == 0.3
    assert Bounds(min_cosine=0.5).slice_cosine == -1.0


def boxes(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0, 640, (count, 4)), rng.uniform(0.3, 1, (count, 1))], axis=1).astype(np.float32)


SET = Bounds(rule=Rule.SET, min_cosine=0.999, min_agreement=0.95)


def test_a_set_may_come_in_any_order():
    want = boxes(100)
    got = want[np.random.default_rng(1).permutation(100)]
    assert not judge(got, want, FP16).passed
    found = judge(got[None], want[None], SET)
    assert found.passed
    assert found.detail == "100 of 100 rows matched, 100 were given, at least 95 % wanted"


def test_a_set_may_lose_a_few_rows_and_no_more():
    want = boxes(100)
    assert judge(want[:97], want, SET).passed
    assert not judge(want[:90], want, SET).passed
    assert judge(want[:90], want, SET).equal_share == 0.9


def test_a_row_matches_one_other_at_most():
    want = boxes(10)
    got = np.repeat(want[:1], 10, axis=0)
    assert judge(got, want, SET).equal_share == 0.1


def test_a_set_of_wrong_rows_fails():
    assert judge(boxes(50, seed=3), boxes(50), SET).equal_share < 0.2


def test_an_empty_set_matches_an_empty_set_alone():
    empty = np.zeros((0, 5), np.float32)
    assert judge(empty, empty, SET).passed
    assert not judge(boxes(1), empty, SET).passed


def test_rows_of_integers_must_be_equal():
    want = np.arange(30).reshape(10, 3)
    assert judge(want[::-1], want, SET).passed
    assert judge(want + 1, want, SET).equal_share == 0


@given(st.integers(1, 4), st.integers(1, 20), st.integers(1, 40), st.floats(1e-3, 1e3))
def test_what_is_equal_passes_whatever_its_shape(samples, rows, columns, scale):
    want = scale * noise(samples, rows, columns)
    assert judge(want, want, FP16).passed


@given(st.integers(0, 23), st.sampled_from([FP16, INT8]))
def test_no_row_of_a_detector_may_be_lost(row, bounds):
    want = detector()
    got = want.copy()
    got[:, row] = want[:, row, ::-1] if row >= 4 else 0
    assert not judge(got, want, bounds).passed


def test_rows_match_within_their_sample_alone():
    want = np.stack([boxes(20, seed=1), boxes(20, seed=2)])
    assert judge(want[:, ::-1], want, SET).passed
    assert judge(want[::-1], want, SET).equal_share < 0.2


def test_outputs_of_one_set_are_matched_together():
    box = np.stack([boxes(20, seed=1), boxes(20, seed=2)])
    label = np.arange(40).reshape(2, 20)
    rules = Rules(FP16, sets={("box", "label"): SET})
    turned = {"box": box[:, ::-1], "label": label[:, ::-1]}
    found = judge_all(turned, {"box": box, "label": label}, rules)
    assert list(found) == ["box+label"]
    assert found["box+label"].passed
    assert not judge_all({**turned, "label": label}, {"box": box, "label": label}, rules)["box+label"].passed
    missing = judge_all({"box": box}, {"box": box, "label": label}, rules)["box+label"]
    assert missing.detail == "there is no output 'label'"


def detections(count, *, apart=100.0):
    """Boxes, scores and labels of a detector without a batch axis; boxes `apart` pixels from each other."""
    corner = 300 + apart * np.random.default_rng(count).uniform(-1, 1, (count, 2))
    box = np.concatenate([corner, corner + 40.3], axis=1).astype(np.float32)
    return {"boxes": box, "scores": np.linspace(0.913, 0.87, count, dtype=np.float32), "labels": np.arange(count) % 3}


DETECTIONS = ("boxes", "scores", "labels")


@pytest.mark.parametrize("columns", [0, 1])
@pytest.mark.parametrize("bounds", [FP16, INT8])
@pytest.mark.parametrize(("count", "apart"), [(0, 100.0), (1, 100.0), (2, 0.1), (3, 1.0), (4, 0.0), (30, 200.0)])
def test_rows_that_are_few_or_near_each_other_are_rounded_all_the_same(count, apart, bounds, columns):
    want = detections(count, apart=apart)
    if columns:
        want = {name: array.reshape(count, 4 if name == "boxes" else 1) for name, array in want.items()}
    got = {name: array.astype(np.float16)[::-1] for name, array in want.items() if name != "labels"}
    rules = Rules(bounds, sets={DETECTIONS: replace(bounds, rule=Rule.SET)})
    found = judge_all(
        {**{name: array.astype(np.float32) for name, array in got.items()}, "labels": want["labels"][::-1]}, want, rules
    )
    assert found["boxes+scores+labels"].passed, found
    if count:
        wrong = {**want, "boxes": want["boxes"] + np.float32([90, 0, 90, 0])}
        assert not judge_all(wrong, want, rules)["boxes+scores+labels"].passed
        other = {**want, "labels": want["labels"] + 1}
        assert not judge_all(other, want, rules)["boxes+scores+labels"].passed


@pytest.mark.parametrize("samples", [1, 3])
def test_what_a_topk_of_rows_chooses_changes_places_within_its_sample(samples):
    score = -np.sort(-np.random.default_rng(0).uniform(0, 9, (samples, 5)).astype(np.float32), axis=1)
    index = np.arange(samples * 5).reshape(samples, 5)
    rules = Rules(FP16, sets={("score", "index"): SET})
    want = {"score": score, "index": index}
    assert judge_all({"score": score[:, ::-1], "index": index[:, ::-1]}, want, rules)["score+index"].passed
    assert not judge_all({"score": score, "index": index[:, ::-1]}, want, rules)["score+index"].passed


def test_outputs_that_are_off_are_not_judged():
    want = {"a": noise(1, 4), "b": noise(1, 4)}
    found = judge_all({"a": want["a"], "b": -want["b"]}, want, Rules(FP16, outputs={"b": Bounds(rule=Rule.OFF)}))
    assert {name: item.passed for name, item in found.items()} == {"a": True}


@pytest.mark.parametrize("bounds", [FP16, INT8])
def test_an_offset_does_not_hide_that_what_varies_is_lost(bounds):
    want = 300 + noise(32, 10)
    got = np.full_like(want, 300)
    got[0, 0] += 1
    found = judge(got, want, bounds)
    assert found.cosine > 0.9999
    assert not found.passed
    assert found.detail == "it is 300 and what varies around it is lost"
    assert judge(want + np.float32(1e-3) * noise(32, 10, seed=1), want, bounds).passed
