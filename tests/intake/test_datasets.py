"""Evaluation data: every way in which an archive is not what the model needs."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.intake.graph import tensors
from controller.intake.graph.datasets import load
from controller.intake.graph.shapes import Signature, signature
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from tests.intake.conftest import Workplace, linear

X = Input("x", "float32", ("batch", 4))
ROWS = np.zeros((6, 4), dtype=np.float32)
LABELS = np.arange(6)


def refused(folder: Path, found: Signature, *, largest_batch: int = 1, **arrays: Any) -> ModelError:
    np.savez(folder / "eval.npz", **arrays)
    with pytest.raises(ModelError) as caught:
        load(folder / "eval.npz", found, largest_batch=largest_batch)
    assert caught.value.steps == ("model", "data", "evaluation")
    return caught.value


@pytest.mark.parametrize(
    ("arrays", "message", "expected"),
    [
        ({"X": ROWS, "labels": LABELS}, "eval.npz has no array 'x'", "arrays x, labels; it has X, labels"),
        ({"x": ROWS}, "eval.npz has no array 'labels'", "arrays x, labels; it has x"),
        ({"x": ROWS, "labels": LABELS, "y": ROWS}, "eval.npz: 'y' is not an input of the model", "x, labels"),
        ({"x": ROWS[:, :3], "labels": LABELS}, "eval.npz: x has shape [6, 3]", "float32 [rows, 4]"),
        ({"x": ROWS[0], "labels": LABELS}, "eval.npz: x has shape [4]", "float32 [rows, 4]"),
        ({"x": ROWS.astype("f8"), "labels": LABELS}, "eval.npz: x is float64", "float32 [rows, 4]"),
        ({"x": ROWS[:5], "labels": LABELS}, "eval.npz: x has 5 rows and labels has 6", "as many rows as labels"),
        (
            {"x": ROWS, "labels": LABELS / 2},
            "eval.npz: labels is float64 [6]",
            "one whole number per row: int64 [rows]",
        ),
        ({"x": ROWS, "labels": ROWS}, "eval.npz: labels is float32 [6, 4]", "one whole number per row: int64 [rows]"),
    ],
)
def test_refused(tmp_path: Path, arrays: dict[str, Any], message: str, expected: str) -> None:
    error = refused(tmp_path, signature([X]), **arrays)
    assert (error.message, error.expected) == (message, expected)


def test_fewer_rows_than_a_batch(tmp_path: Path) -> None:
    error = refused(tmp_path, signature([X]), largest_batch=8, x=ROWS, labels=LABELS)
    assert error.message == "eval.npz has 6 rows, and a variant has batch 8"


def test_models_whose_rows_mean_nothing(tmp_path: Path) -> None:
    scalar = signature([Input("x", "float32", ())])
    inner = signature([Input("x", "float32", (2, "batch"))])
    assert "no input has a batch dimension" in refused(tmp_path, scalar, labels=LABELS).message
    assert "is not its first" in refused(tmp_path, inner, labels=LABELS).message


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    error = refused(tmp_path, signature([X]), x=np.array([{}]), labels=LABELS)
    assert error.message == "eval.npz: x holds objects"


def test_sizes_are_bounded_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "eval.npz"
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.ljust(127) + b"\n")
    with pytest.raises(ModelError, match="is too large"):
        load(path, signature([X]), largest_batch=1)
    monkeypatch.setattr(tensors, "MAX_ARRAY_BYTES", 100)
    np.savez(path, x=ROWS, labels=LABELS)
    with pytest.raises(ModelError, match=r"eval\.npz is too large"):
        load(path, signature([X]), largest_batch=1)


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "eval.npz"
    with pytest.raises(ModelError, match="No such file"):
        load(path, signature([X]), largest_batch=1)
    path.write_bytes(b"PK not really")
    with pytest.raises(ModelError, match=r"is not a \.npz file"):
        load(path, signature([X]), largest_batch=1)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00 cut")
    with pytest.raises(ModelError, match="is not an array"):
        load(path, signature([X]), largest_batch=1)


def test_real_samples_are_the_reference_inputs(place: Workplace) -> None:
    place.model(linear())
    rows = np.arange(24, dtype=np.float32).reshape(6, 4)
    np.savez(place.folder / "eval.npz", x=rows, labels=np.arange(6, dtype=np.uint8) % 3)
    prepared = place.prepare("model:\n  onnx: m.onnx\n  data: {evaluation: eval.npz}\nvariants: {batch: [1, 3]}")
    for batch in (1, 3):
        np.testing.assert_array_equal(place.arrays(prepared, "reference-input", batch)["x"], rows[:batch])
        np.testing.assert_array_equal(place.arrays(prepared, "evaluation-input", batch)["x"], rows)
        labels = place.arrays(prepared, "evaluation-labels", batch)["labels"]
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, np.arange(6) % 3)


@pytest.mark.parametrize(
    ("dtype", "values", "message"),
    [
        ("int32", "normal", "input 'x' is int32, and normal values are not whole numbers"),
        ("uint8", "uniform[0,300]", "input 'x' is uint8 and cannot be 300"),
        ("int64", "constant[0.5]", "input 'x' is int64 and cannot be 0.5"),
        ("bool", "constant[2]", "input 'x' is bool and cannot be 2"),
    ],
)
def test_values_that_a_type_cannot_hold(dtype: str, values: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        tensors.make(Input("x", dtype, ("batch", 4), values), 2, seed=0, folder=Path())
    assert caught.value.message == message


def test_whole_numbers_cover_their_range_and_default_to_0_and_1() -> None:
    array = tensors.make(Input("x", "uint8", ("batch", 5000), "uniform[0,255]"), 1, seed=0, folder=Path())
    assert (array.dtype.name, int(array.min()), int(array.max())) == ("uint8", 0, 255)
    array = tensors.make(Input("x", "int32", ("batch", 4)), 20, seed=0, folder=Path())
    assert (int(array.min()), int(array.max())) == (0, 1)


def test_arrays_survive_a_round_trip(tmp_path: Path) -> None:
    arrays: list[tensors.Array] = [
        np.array(3.5),
        np.asfortranarray(ROWS + LABELS[:, None]),
        np.zeros((0, 3), dtype=">i4"),
    ]
    for array in arrays:
        tensors.write_npy(tmp_path / "a.npy", array)
        found = tensors.read_npy(tmp_path / "a.npy", steps=())
        np.testing.assert_array_equal(found, array)
        assert found.shape == array.shape
