"""Integers: indices and labels are equal or not, values that were rounded may be off by the tolerance of the job."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetfleet.outputs.bounds import Bounds
from jetfleet.outputs.judge import judge

EXACT = Bounds(min_cosine=0.999, min_agreement=0.95)
ROUNDED = replace(EXACT, tolerance=1)


def image(kind=np.uint8, *, seed=0):
    """(2, 3, 16, 16), over all of the type's range."""
    limits = np.iinfo(kind)
    drawn = np.random.default_rng(seed).integers(limits.min + 1, limits.max, (2, 3, 16, 16))
    return drawn.astype(kind)


def rounded_otherwise(want, *, seed=1):
    """Two fifths of the elements fall the other way."""
    step = np.random.default_rng(seed).choice([-1, 0, 0, 0, 1], want.shape)
    return (want.astype(np.int64) + step).astype(want.dtype)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16])
def test_what_was_rounded_otherwise_is_the_same_image(kind):
    want = image(kind)
    got = rounded_otherwise(want)
    found = judge(got, want, ROUNDED)
    assert found.passed
    assert (found.max_abs, found.equal_share) == (1, 1)
    refused = judge(got, want, EXACT)
    assert not refused.passed
    assert refused.detail.endswith("; none is off by more than 1: values that were rounded may be, with tolerance: 1")


@pytest.mark.parametrize(
    "plant",
    [
        lambda want: np.where(np.arange(3)[:, None, None] == 1, 0, want),  # a channel is lost
        lambda want: want[:, ::-1],
        lambda want: want[::-1],
        lambda want: want // 2,
        lambda want: (want.astype(np.int64) + 1).astype(want.dtype),  # all of it, never by rounding
        lambda want: np.where(np.arange(16) == 3, 0, want),  # one column of sixteen
    ],
)
def test_an_image_that_is_wrong_is_found_in_spite_of_the_tolerance(plant):
    want = image()
    found = judge(plant(want).astype(np.uint8), want, replace(ROUNDED, min_agreement=0.5))
    assert not found.passed


def test_an_image_in_int8_is_told_the_tolerance_that_it_needs():
    want = image()
    step = np.random.default_rng(1).integers(-9, 10, want.shape)
    got = np.clip(want.astype(np.int64) + step, 0, 255).astype(np.uint8)
    for bounds in (EXACT, ROUNDED):
        found = judge(got, want, bounds)
        assert not found.passed
        assert found.detail.endswith("95 % are off by 9 at most: of pixels that may be right, with tolerance: 9")
    assert judge(got, want, replace(EXACT, tolerance=9)).passed


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_labels_and_indices_are_told_no_tolerance(kind):
    want = np.random.default_rng(0).integers(0, 21, (2, 16, 16)).astype(kind)
    assert "tolerance" not in judge((want + 7) % 21, want, EXACT).detail


def test_a_dark_image_is_rounded_too():
    want = np.random.default_rng(0).integers(0, 3, (1, 3, 32, 32)).astype(np.uint8)
    want[0, 0, 0, 0] = 200
    assert judge(np.clip(rounded_otherwise(want.astype(np.int64)), 0, 255).astype(np.uint8), want, ROUNDED).passed


@given(st.integers(0, 2**16), st.sampled_from([np.uint8, np.int64, np.int32]))
def test_labels_must_agree(seed, kind):
    want = np.random.default_rng(seed).integers(0, 21, (1, 32, 32)).astype(kind)
    assert judge(want, want, EXACT).passed
    assert not judge((want + 1).astype(kind), want, EXACT).passed


def test_only_small_differences_look_like_rounding():
    want = np.arange(100)
    assert "tolerance" not in judge(want[::-1], want, EXACT).detail
    assert "tolerance" not in judge(np.zeros(4, bool), np.ones(4, bool), EXACT).detail
    assert "tolerance: 3" in judge(want + 3, want, EXACT).detail


def test_a_mask_has_no_tolerance():
    want = np.random.default_rng(0).integers(0, 2, (1, 32, 32)).astype(bool)
    assert not judge(~want, want, ROUNDED).passed
    assert judge(want, want, ROUNDED).passed


def test_integers_beyond_64_bits_of_sign_are_compared():
    want = np.array([2**64 - 1, 0], np.uint64)
    assert judge(want, want, EXACT).passed
    assert not judge(want[::-1], want, EXACT).passed
