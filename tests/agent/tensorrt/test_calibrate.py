"""Calibration data: what its shape must be, and how it is cut into batches."""

import numpy as np
import pytest

from agent.runtime.tensorrt.calibrate import check_samples
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import TensorSpec


def spec(name: str, *shape: int, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def zeros(*shape: int, dtype: str = "float32") -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.zeros(shape, dtype)


def test_samples_fill_the_batch_dimension_wherever_it_is() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    samples = check_samples({"x": rows}, [spec("x", 2, 2, 3)])
    assert samples.batch == 2
    assert [batch["x"].tolist() for batch in samples.batches()] == [rows[:2].tolist(), rows[2:].tolist()]
    sideways = check_samples({"x": rows}, [spec("x", 2, 4, 3)])  # time, batch, features: as many recurrent ones have
    (batch,) = sideways.batches()
    assert batch["x"].shape == (2, 4, 3)
    assert batch["x"][:, 1].tolist() == rows[1].tolist()
    assert batch["x"].flags.c_contiguous


def test_an_input_without_a_batch_dimension_is_one_sample_whole() -> None:
    samples = check_samples({"x": zeros(3, 2, 5)}, [spec("x", 2, 5)])
    assert samples.batch == 1
    assert [batch["x"].shape for batch in samples.batches()] == [(2, 5)] * 3


def test_a_constant_beside_a_batch_is_taken_once_a_batch() -> None:
    arrays = {"x": zeros(4, 3), "scale": np.arange(4, dtype=np.float32).reshape(4, 1) * 0 + 7}
    samples = check_samples(arrays, [spec("x", 2, 3), spec("scale", 1)])
    assert [batch["scale"].tolist() for batch in samples.batches()] == [[7.0], [7.0]]
    assert [batch["x"].shape for batch in samples.batches()] == [(2, 3), (2, 3)]


@pytest.mark.parametrize(
    ("arrays", "words", "expected"),
    [
        ({"y": zeros(4, 3)}, r"for \['y'\]", "['x']"),
        ({"x": zeros(4, 3), "y": zeros(4, 3)}, r"for \['x', 'y'\]", "['x']"),
        ({"x": zeros(4, 5)}, r"'x' is float32\[4, 5\]", "float32[samples, 3]"),
        ({"x": zeros(3)}, r"'x' is float32\[3\]", "float32[samples, 3]"),
        ({"x": zeros(4, 3, dtype="float64")}, r"'x' is float64\[4, 3\]", "float32[samples, 3]"),
        ({"x": zeros(1, 3)}, "holds 1 samples", "2 or more: one batch"),
    ],
)
def test_the_wrong_data_is_bad_input_naming_tensor_got_and_expected(
    arrays: "dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]", words: str, expected: str
) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        check_samples(arrays, [spec("x", 2, 3)])
    assert (refused.value.where, refused.value.expected) == ("calibration", expected)


def test_inputs_of_unlike_batches_are_bad_input() -> None:
    with pytest.raises(BadInput, match=r"batches of \[2, 4\]"):
        check_samples({"x": zeros(8, 3), "y": zeros(8, 5)}, [spec("x", 2, 3), spec("y", 4, 5)])
