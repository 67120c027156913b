"""Calibration data: which rows the ranges are learnt from, for every way in which a model takes a batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.intake.graph.shapes import Signature, signature
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering.calibration import Calibration, load
from tests.intake.conftest import Workplace, linear
from tests.intake.graphs import JOB, save

X = Input("x", "float32", ("batch", 4))
STATE = Input("state", "float32", (2, "batch", 3))
RATE = Input("rate", "int64", ())
ROWS = np.arange(80, dtype=np.float32).reshape(20, 4)
STATES = np.arange(120, dtype=np.float32).reshape(2, 20, 3)


def read(folder: Path, found: Signature, **arrays: Any) -> Calibration:
    np.savez(folder / "c.npz", **arrays)
    return load(folder / "c.npz", found, constant=lambda item: np.full(item.shape(1), 16, dtype=item.dtype))


def test_rows_lie_along_the_batch_wherever_it_is(tmp_path: Path) -> None:
    made = read(tmp_path, signature([X, STATE, RATE]), x=ROWS, state=STATES, labels=np.arange(20))
    batches = list(made.batches())
    assert [len(batch["x"]) for batch in batches] == [8, 8]
    np.testing.assert_array_equal(batches[1]["state"], STATES[:, 8:16])
    assert (batches[0]["rate"].shape, int(batches[0]["rate"])) == ((), 16)
    assert set(made.first(3)) == {"x", "state"}
    np.testing.assert_array_equal(made.first(3)["state"], STATES[:, :3])
    assert made.first(21) == {}


def test_few_rows_are_one_batch(tmp_path: Path) -> None:
    (batch,) = read(tmp_path, signature([X]), x=ROWS[:3]).batches()
    np.testing.assert_array_equal(batch["x"], ROWS[:3])


def test_a_fixed_batch_is_filled(tmp_path: Path) -> None:
    fixed = signature([Input("x", "float32", (6, 4))])
    assert [len(batch["x"]) for batch in read(tmp_path, fixed, x=ROWS).batches()] == [6, 6, 6]
    with pytest.raises(ModelError, match=r"c\.npz has 5 rows, and the model takes 6 at once"):
        read(tmp_path, fixed, x=ROWS[:5])


def test_a_model_without_a_batch_takes_stacked_inputs(tmp_path: Path) -> None:
    whole = signature([Input("x", "float32", (3, 4)), Input("k", "int64", (2,))])
    made = read(tmp_path, whole, x=np.stack([ROWS[:3], ROWS[3:6]]), k=np.array([[1, 2], [3, 4]]))
    batches = list(made.batches())
    np.testing.assert_array_equal(batches[1]["x"], ROWS[3:6])
    np.testing.assert_array_equal(batches[1]["k"], [3, 4])
    assert (len(batches), made.first(1)) == (2, {})


@pytest.mark.parametrize(
    ("arrays", "message", "expected"),
    [
        ({"y": ROWS}, "c.npz: 'y' is not an input of the model", "x, state, rate"),
        ({"x": ROWS}, "c.npz has no array 'state'", "arrays x, state; it has x"),
        ({"x": ROWS[:, :3], "state": STATES}, "c.npz: x has shape [20, 3]", "float32 [rows, 4]"),
        ({"x": ROWS.astype("f8"), "state": STATES}, "c.npz: x is float64", "float32 [rows, 4]"),
        ({"x": ROWS, "state": STATES[0]}, "c.npz: state has shape [20, 3]", "float32 [2, rows, 3]"),
        ({"x": ROWS, "state": STATES[:, :5]}, "c.npz: rows of x 20, state 5", "the same number of rows, 1 or more"),
        (
            {"x": ROWS[:0], "state": STATES[:, :0]},
            "c.npz: rows of x 0, state 0",
            "the same number of rows, 1 or more",
        ),
        ({"x": ROWS, "state": STATES, "rate": np.arange(20)}, "c.npz: rate has shape [20]", "int64 []"),
    ],
)
def test_refused(tmp_path: Path, arrays: dict[str, Any], message: str, expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(tmp_path, signature([X, STATE, RATE]), **arrays)
    assert (caught.value.message, caught.value.expected) == (message, expected)
    assert caught.value.steps == ("model", "data", "calibration")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("rows", "message", "expected", "hint"),
    [
        ({"x": ROWS[:, :3]}, "c.npz: x has shape [20, 3]", "float32 [rows, 4]", "rows along dimension 0"),
        ({"x": ROWS.astype("f8")}, "c.npz: x is float64", "float32 [rows, 4]", "x.astype(numpy.float32)"),
        ({"labels": np.arange(3)}, "c.npz has no array 'x'", "arrays x; it has labels", "numpy.savez('c.npz', x=...)"),
        ({"xs": ROWS}, "c.npz: 'xs' is not an input of the model", "x", "did you mean 'x'?"),
        ({"x": ROWS[:0]}, "c.npz: rows of x 0", "the same number of rows, 1 or more", "the same samples"),
        ({}, "/c.npz: No such file or directory", "a .npz file", ""),
    ],
)
@pytest.mark.parametrize("runtime", ["onnxruntime", "tensorrt"])
def test_refused_where_the_job_names_it(
    place: Workplace, runtime: str, rows: dict[str, Any], message: str, expected: str, hint: str
) -> None:
    save(place, linear(), **rows)
    error = place.refused(JOB + f"variants: {{precision: [int8], runtime: [{runtime}]}}")
    assert error.message.endswith(message)
    assert (error.where, error.expected) == ("job.yaml:5:23", expected)
    assert hint in error.hint


def test_a_builder_that_calibrates_itself_gets_samples_first(tmp_path: Path) -> None:
    made = read(tmp_path, signature([X, STATE, RATE]), x=ROWS, state=STATES)
    samples = made.samples()
    assert {name: array.shape for name, array in samples.items()} == {"x": (20, 4), "state": (20, 2, 3), "rate": (20,)}
    np.testing.assert_array_equal(samples["state"][7], STATES[:, 7])
    whole = signature([Input("x", "float32", (3, 4)), Input("k", "int64", (2,))])
    stacked = read(tmp_path, whole, x=np.stack([ROWS[:3], ROWS[3:6]]), k=np.array([[1, 2], [3, 4]]))
    assert {name: array.shape for name, array in stacked.samples().items()} == {"x": (2, 3, 4), "k": (2, 2)}


def test_the_digest_is_of_what_is_calibrated_with(tmp_path: Path) -> None:
    first = read(tmp_path, signature([X]), x=ROWS).digest()
    assert read(tmp_path, signature([X]), x=ROWS, labels=np.arange(20)).digest() == first
    assert read(tmp_path, signature([X]), x=ROWS + 1).digest() != first
