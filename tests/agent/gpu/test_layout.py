"""Tensors in the formats of a DLA: where each value lies, as documented, and that none is lost on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.gpu.layout import TensorLayout

SHAPES = st.lists(st.integers(1, 37), min_size=3, max_size=4).map(tuple)
LAYOUTS = ("chw16", "chw32", "rows of 32", "rows of 64", "linear")


def layout(name: str, rank: int) -> TensorLayout:
    axis = rank - 3
    return {
        "chw16": TensorLayout(vector=16, axis=axis),
        "chw32": TensorLayout(vector=32, axis=axis),
        "rows of 32": TensorLayout(row=32),
        "rows of 64": TensorLayout(row=64),
        "linear": TensorLayout(),
    }[name]


@given(shape=SHAPES, name=st.sampled_from(LAYOUTS))
def test_what_is_packed_comes_back_and_fills_what_was_reserved(shape: tuple[int, ...], name: str) -> None:
    form = layout(name, len(shape))
    array = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
    stored = form.pack(array)
    assert stored.shape == form.stored_shape(shape)
    assert stored.flags.c_contiguous
    assert np.count_nonzero(stored) == array.size  # what is added is 0
    assert np.array_equal(form.unpack(stored, shape), array)


@pytest.mark.parametrize("vector", [16, 32])
def test_channels_lie_in_vectors(vector: int) -> None:
    """(n, c, h, w) at [n][c / v][h][w][c % v] of [N][(C + v - 1) / v][H][W][v]."""
    array = np.arange(2 * 35 * 3 * 5, dtype=np.float32).reshape(2, 35, 3, 5)
    form = TensorLayout(vector=vector, axis=1)
    assert form.stored_shape(array.shape) == (2, -(-35 // vector), 3, 5, vector)
    stored = form.pack(array)
    for n, c, h, w in ((0, 0, 0, 0), (1, 34, 2, 4), (1, 15, 0, 3), (0, 16, 1, 1), (1, 31, 2, 0)):
        assert stored[n, c // vector, h, w, c % vector] == array[n, c, h, w]


def test_rows_are_as_long_as_64_bytes() -> None:
    array = np.ones((1, 3, 4, 40), np.float16)
    assert TensorLayout(row=64 // array.itemsize).stored_shape(array.shape) == (1, 3, 4, 64)


def test_a_tensor_without_values_has_none_in_memory_either() -> None:
    array = np.zeros((0, 3, 4, 5), np.float16)
    form = TensorLayout(vector=16, axis=1)
    assert form.unpack(form.pack(array), array.shape).shape == array.shape
