"""Two answers of one model, and how far they may be apart."""

import numpy as np
import pytest

from controller.intake.graph.agreement import agree
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError


def difference(found: Array, wanted: Array) -> float:
    return agree("y", found, wanted, told="it differs", steps=("model", "onnx"))


def test_close_enough() -> None:
    wanted = np.array([1.0, np.nan, np.inf, -np.inf], dtype=np.float32)
    found = np.array([1.0005, np.nan, np.inf, -np.inf], dtype=np.float32)
    assert difference(found, wanted) == pytest.approx(0.0005, rel=1e-3)
    assert difference(np.zeros((0, 3)), np.zeros((0, 3))) == 0
    assert difference(np.array([True, False]), np.array([True, False])) == 0
    assert difference(np.array([7]), np.array([7])) == 0


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        (np.zeros(2), np.zeros(3), "float64 [2] instead of float64 [3]"),
        (np.zeros(2, np.float32), np.zeros(2), "float32 [2] instead of float64 [2]"),
        (np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]), "2.0 instead of 3.0 at [0, 1]; 50 % of it is too far off"),
        (np.array([1.0, np.nan]), np.array([1.0, 1.0]), "nan instead of 1.0 at [1]; 50 % of it is too far off"),
        (np.array([3, 5]), np.array([3, 4]), "5 instead of 4 at [1]; 50 % of it is too far off"),
    ],
)
def test_too_far_apart(found: Array, wanted: Array, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        difference(found, wanted)
    assert caught.value.message == f"it differs in output 'y': {message}"
    assert caught.value.steps == ("model", "onnx")
