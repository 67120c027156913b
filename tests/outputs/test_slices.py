"""Slices on their own: constants of unlike scale, what varies behind an offset, weak and dead ones, turned classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetfleet.outputs.bounds import Bounds
from jetfleet.outputs.judge import judge

FP16, INT8 = Bounds(min_cosine=0.999, min_agreement=0.95), Bounds(min_cosine=0.99, min_agreement=0.9)
BOTH = pytest.mark.parametrize("bounds", [FP16, INT8])


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def halved(want):
    return want.astype(np.float16).astype(np.float32)


def with_row(want, index, row):
    """The channel `index`, the second axis, replaced."""
    got = want.copy()
    got[:, index] = row
    return got


def constants(*tail, samples=1):
    """Channels that are constants between 2e-4 and 1e3 each, (samples, 16, *tail)."""
    scale = np.geomspace(2e-4, 1e3, 16).astype(np.float32)
    return np.broadcast_to(scale.reshape(1, 16, *(1 for _ in tail)), (samples, 16, *tail)).copy()


@BOTH
@pytest.mark.parametrize("want", [constants(8, 8), constants(2, 2), constants(5), constants(samples=8)])
def test_a_constant_of_its_own_scale_is_judged_by_its_length(want, bounds):
    assert judge(want, want, bounds).passed
    assert judge(halved(want), want, bounds).passed
    for channel in range(want.shape[1]):
        for factor in (0.0, -1.0, 3.0):
            found = judge(with_row(want, channel, factor * want[:, channel]), want, bounds)
            assert not found.passed, (channel, factor)


def test_two_constants_that_changed_places_are_found():
    want = constants(2, 2)
    got = want.copy()
    got[:, [3, 4]] = got[:, [4, 3]]
    found = judge(got, want, FP16)
    assert not found.passed
    assert found.detail.startswith("index 3 of axis 1 is off by ")


def test_what_is_small_by_chance_is_not_a_constant():
    """Of logits near zero nobody asks for three digits: the noise is that of the other classes."""
    want = noise(8, 200)
    assert judge(want + 0.01 * noise(8, 200, seed=1), want, FP16).passed
    assert judge(want + 0.05 * noise(8, 200, seed=1), want, INT8).passed
    tail = np.exp(8 * noise(8, 200))
    tail /= tail.sum(axis=1, keepdims=True)
    assert judge(tail * (1 + 0.02 * noise(8, 200, seed=1)), tail, INT8).passed


@BOTH
@pytest.mark.parametrize("axis", [1, 2])
def test_what_varies_behind_the_offset_of_one_row_is_held_alone(bounds, axis):
    plain = noise(1, 6, 64)
    want = with_row(plain, 2, 20000 + 1000 * plain[:, 2])
    lost = with_row(want, 2, 20000)
    other = with_row(want, 2, 20000 + 1000 * noise(64, seed=5))
    turn = (lambda array: array) if axis == 1 else (lambda array: np.moveaxis(array, 1, 2))
    assert judge(turn(halved(want)), turn(want), bounds).passed
    for got in (lost, other):
        found = judge(turn(got), turn(want), bounds)
        assert found.cosine > 0.99
        assert not found.passed
        assert found.worst_slice == f"index 2 of axis {axis}"


def test_a_signal_that_half_rounds_away_is_lost():
    """At 20000 the step of half precision is 16."""
    plain = noise(1, 6, 64)
    want = with_row(plain, 2, 20000 + plain[:, 2])
    found = judge(halved(want), want, FP16)
    assert found.detail == "index 2 of axis 1 is 2e+04 and what varies around it is lost"
    assert not found.passed


def test_a_constant_that_rounding_makes_uneven_has_nothing_to_lose():
    plain = noise(1, 6, 64)
    want = with_row(plain, 2, 3 + 1e-3 * plain[:, 2])  # nothing beside the other rows
    assert judge(with_row(want, 2, 3), want, FP16).passed
    even = np.full((1, 6, 64), 300, np.float32) * (1 + 1e-7 * noise(1, 6, 64))
    assert judge(np.full_like(even, 300), even, FP16).passed


def test_classes_that_hardly_vary_between_samples_are_not_held_to_more_than_rounding():
    """As those of a network without trained weights: 1.6 % of their mean, in int8 with noise of a third of that."""
    mean = np.linspace(0.05, 0.25, 100, dtype=np.float32)
    want = mean + 0.002 * noise(32, 100)
    assert judge(want + 0.0008 * noise(32, 100, seed=1), want, INT8).passed
    assert not judge(want + 0.0008 * noise(32, 100, seed=1), want, FP16).passed
    assert not judge(mean + 0.002 * noise(32, 100, seed=1), want, INT8).passed


def test_a_sample_behind_an_offset_is_held_alone():
    want = noise(4, 3, 32)
    want[1] += 500
    got = want.copy()
    got[1] = 500
    found = judge(got, want, FP16)
    assert not found.passed
    assert found.worst_slice.startswith(("sample 1", "index"))


@BOTH
def test_a_dead_slice_of_a_wide_axis_is_found_though_it_is_weak(bounds):
    want = noise(1, 64, 768)
    want[..., 0] = 80 + 20 * want[..., 0]  # what makes all others weak
    got = want.copy()
    got[..., 5] = 0
    found = judge(got, want, bounds)
    assert not found.passed
    assert found.worst_slice == "index 5 of axis 2"
    got = want.copy()
    got[..., 5] = -want[..., 5]  # weak, and not dead
    assert judge(got, want, bounds).passed


def test_a_few_features_that_precision_takes_may_die():
    want = np.abs(noise(1, 64, 768))
    want[..., :3] *= 1e-3
    got = want.copy()
    got[..., :3] = 0
    assert judge(got, want, INT8).passed
    assert judge(got, want, FP16).passed


def test_a_class_that_turns_is_found_in_a_row_of_hundreds():
    want = noise(1, 1000)
    want[0, 7], want[0, 9] = 5.0, 4.0
    got = want.copy()
    got[0, 7], got[0, 9] = 4.0, 5.0
    found = judge(got, want, FP16)
    assert found.cosine > FP16.min_cosine - 0.001
    assert not judge(got, want, Bounds(min_cosine=0.998)).passed
    assert judge(got, want, Bounds(min_cosine=0.998)).detail.startswith("100 % of its rows say another class")
    assert found.top1_agreement == 0


@BOTH
def test_near_ties_of_classes_may_turn(bounds):
    want = noise(32, 100)
    want[:, 3] = want[:, 4] = 6
    want[:, 3] += np.float32(0.01)
    got = want.copy()
    got[:, 4] += np.float32(0.02)
    found = judge(got, want, bounds)
    assert (found.passed, found.top1_agreement) == (True, 0)


def test_a_few_of_many_rows_may_turn():
    want = noise(100, 10)
    want[:, 2] = 4
    got = want.copy()
    bounds = Bounds(min_cosine=0.97, min_slice_cosine=-1.0, min_agreement=0.95)
    got[:5, 2] = 0
    assert judge(got, want, bounds).passed
    got[:6, 2] = 0
    assert judge(got, want, bounds).detail == "6 % of its rows say another class, and not by a near tie"


def test_masked_classes_are_nobodys():
    want = -1 - np.abs(noise(4, 10))
    want[:, 0] = -np.inf
    found = judge(halved(want), want, FP16)
    assert (found.passed, found.top1_agreement) == (True, 1)


SHAPES = st.tuples(st.integers(1, 4), st.integers(2, 12), st.integers(16, 40))
SCALES = st.lists(st.floats(1e-2, 1e3), min_size=12, max_size=12)


@given(SHAPES, SCALES, st.integers(0, 2**16))
def test_channels_of_any_scale_pass_in_half(shape, scales, seed):
    want = noise(*shape, seed=seed) * np.float32(scales)[: shape[1], None]
    assert judge(want, want, FP16).passed
    assert judge(halved(want), want, FP16).passed
    assert judge(halved(want), want, INT8).passed


@given(
    SHAPES,
    SCALES,
    st.integers(0, 2**16),
    st.sampled_from([lambda row: 0 * row, lambda row: -row, lambda row: 2 * row, lambda row: np.roll(row, 7)]),
    st.booleans(),
)
def test_no_channel_of_any_scale_may_be_lost(shape, scales, seed, plant, offset):
    """Down to a hundredth of the others: what varies behind an offset is less than rounding below."""
    want = noise(*shape, seed=seed) * np.float32(scales)[: shape[1], None]
    channel = seed % shape[1]
    if offset:
        want[:, channel] += np.float32(20 * scales[channel])
    broken = plant(want[:, channel] - want[:, channel].mean()) + want[:, channel].mean()
    got = with_row(want, channel, broken)
    weak = scales[channel] < 1e-2 * float(np.median(scales[: shape[1]]))
    assert weak or not judge(got, want, FP16).passed


@pytest.mark.parametrize("bounds", [FP16, INT8])
def test_what_half_cannot_tell_from_zero_is_no_fault(bounds):
    """A text detector's answer to a page without text: a sigmoid of large negative numbers."""
    rng = np.random.default_rng(0)
    want = np.zeros((1, 1, 64, 64), np.float32)
    want[0, 0, :16] = rng.uniform(1e-6, 9e-5, (16, 64))
    want[0, 0, 20] = 2.0**-25
    want[0, 0, 30, ::7] = 2.0**-24
    got = want.astype(np.float16).astype(np.float32)
    got[0, 0, 20], got[0, 0, 40] = 0, 2.0**-24
    assert judge(got, want, bounds).passed
    got[0, 0, 3] = 0
    found = judge(got, want, bounds)
    assert (found.passed, found.worst_slice) == (False, "index 3 of axis 2")
    small = want[:, :, 20:31] * np.float32(0.5)
    assert not judge(np.zeros_like(small), small, bounds).passed


@pytest.mark.parametrize(("share", "bounds"), [(0.13, FP16), (0.13, INT8), (0.3, INT8), (0.45, INT8)])
@pytest.mark.parametrize("axis", [1, 2])
def test_a_mean_does_not_hide_that_a_slice_is_lost_or_another(axis, share, bounds):
    """A depth map, 5 to 8 metres: rows that are constant, or each other's, still have the cosine of a slice."""
    want = np.moveaxis(6 * (1 + share * noise(1, 8, 256)), 1, axis)
    lost, other = np.moveaxis(want.copy(), axis, 1), np.moveaxis(want.copy(), axis, 1)
    lost[0, 3] = lost[0, 3].mean()
    other[0, 3] = other[0, 4]
    for wrong in (lost, other) if share < 0.4 else (lost,):
        found = judge(np.moveaxis(wrong, 1, axis), want, bounds)
        assert (found.passed, found.worst_slice) == (False, f"index 3 of axis {axis}")
    rounded = want + np.float32(0.5 * bounds.norm_error(bounds.min_cosine)) * share * want.mean() * noise(
        *want.shape, seed=1
    )
    assert judge(rounded, want, bounds).passed
