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
from tests.intake.graphs import JOB, NODE, floats, model_of, save, value

X = Input("x", "float32", ("batch", 4))
STATE = Input("state", "float32", (2, "batch", 3))
RATE = Input("rate", "int64", ())
ROWS = np.arange(80, dtype=np.float32).reshape(20, 4)
STATES = np.arange(120, dtype=np.float32).reshape(2, 20, 3)


def read(folder: Path, found: Signature, sizes: tuple[int, ...] = (), **arrays: Any) -> Calibration:
    np.savez(folder / "c.npz", **arrays)

    def constant(item: Input) -> Any:
        return np.full(item.shape(1), 16, dtype=item.dtype)

    return load(folder / "c.npz", found, constant=constant, batches=sizes)


def test_rows_lie_along_the_batch_wherever_it_is(tmp_path: Path) -> None:
    made = read(tmp_path, signature([X, STATE, RATE]), x=ROWS, state=STATES, labels=np.arange(20))
    batches = list(made.batches())
    assert [len(batch["x"]) for batch in batches] == [8, 8]  # four of twenty rows are held out
    learnt = np.delete(STATES, made.held, axis=1)
    np.testing.assert_array_equal(batches[1]["state"], learnt[:, 8:16])
    assert (batches[0]["rate"].shape, int(batches[0]["rate"])) == ((), 16)
    first, last = made.trials(3)
    np.testing.assert_array_equal(first["state"], STATES[:, made.held[:3]])
    np.testing.assert_array_equal(last["x"], ROWS[[made.held[3], *made.held[:2]]])  # the last one is filled up
    assert len(made.trials(21)[0]["x"]) == 21


def test_few_rows_are_one_batch(tmp_path: Path) -> None:
    made = read(tmp_path, signature([X]), x=ROWS[:2])
    (batch,) = made.batches()
    np.testing.assert_array_equal(batch["x"], ROWS[:2])
    np.testing.assert_array_equal(made.trials(1)[0]["x"], ROWS[:1])
    assert made.weaknesses[1:] == ("int8 is held against the rows that calibrated it",)


@pytest.mark.parametrize(("sizes", "size"), [((1,), 1), ((1, 4), 4), ((8,), 8), ((4, 64), 4), ((16, 64), 16), ((), 8)])
def test_the_model_is_run_at_a_size_that_the_job_asks_for(tmp_path: Path, sizes: tuple[int, ...], size: int) -> None:
    made = read(tmp_path, signature([X]), sizes, x=ROWS[:18])
    assert {len(batch["x"]) for batch in made.batches()} == {size}
    seen = {row.tobytes() for batch in made.batches() for row in batch["x"]}
    assert seen == {row.tobytes() for row in np.delete(ROWS[:18], made.held, axis=0)}


def test_a_fixed_batch_is_filled(tmp_path: Path) -> None:
    fixed = signature([Input("x", "float32", (6, 4))])
    made = read(tmp_path, fixed, x=ROWS)
    assert (len(made.held), [len(batch["x"]) for batch in made.batches()]) == (6, [6, 6, 6])
    assert read(tmp_path, fixed, x=ROWS[:6]).held == ()
    with pytest.raises(ModelError, match=r"c\.npz has 5 rows, and the model takes 6 at once"):
        read(tmp_path, fixed, x=ROWS[:5])


def test_a_model_without_a_batch_takes_stacked_inputs(tmp_path: Path) -> None:
    whole = signature([Input("x", "float32", (3, 4)), Input("k", "int64", (2,))])
    made = read(tmp_path, whole, x=np.stack([ROWS[:3], ROWS[3:6]]), k=np.array([[1, 2], [3, 4]]))
    batches = list(made.batches())
    np.testing.assert_array_equal(batches[1]["x"], ROWS[3:6])
    np.testing.assert_array_equal(batches[1]["k"], [3, 4])
    assert len(batches) == 2
    np.testing.assert_array_equal(made.trials(1)[1]["x"], ROWS[3:6])


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
        ({}, "c.npz does not exist", "a file; paths start at", ""),
    ],
)
@pytest.mark.parametrize("runtime", ["onnxruntime", "tensorrt"])
def test_refused_where_the_job_names_it(
    place: Workplace, runtime: str, rows: dict[str, Any], message: str, expected: str, hint: str
) -> None:
    save(place, linear(), **rows)
    error = place.refused(JOB + f"variants: {{precision: [int8], runtime: [{runtime}]}}")
    assert error.message.endswith(message)
    assert error.where == "job.yaml:5:23"
    assert error.expected.startswith(expected)
    assert hint in error.hint


def test_a_builder_that_calibrates_itself_gets_samples_first(tmp_path: Path) -> None:
    made = read(tmp_path, signature([X, STATE, RATE]), x=ROWS, state=STATES)
    samples = made.samples()
    assert {name: array.shape for name, array in samples.items()} == {"x": (16, 4), "state": (16, 2, 3), "rate": (16,)}
    np.testing.assert_array_equal(samples["state"][7], STATES[:, made.learnt[7]])
    whole = signature([Input("x", "float32", (3, 4)), Input("k", "int64", (2,))])
    stacked = read(tmp_path, whole, x=np.stack([ROWS[:3], ROWS[3:6]]), k=np.array([[1, 2], [3, 4]]))
    assert {name: array.shape for name, array in stacked.samples().items()} == {"x": (2, 3, 4), "k": (2, 2)}


def test_the_digest_is_of_what_is_calibrated_with(tmp_path: Path) -> None:
    first = read(tmp_path, signature([X]), x=ROWS).digest()
    assert read(tmp_path, signature([X]), x=ROWS, labels=np.arange(20)).digest() == first
    assert read(tmp_path, signature([X]), x=ROWS + 1).digest() != first


IMAGES = Input("x", "float32", ("batch", 2, 3, 3))
PICTURES = np.random.default_rng(1).standard_normal((40, 2, 3, 3)).astype(np.float32)


def spoilt(index: tuple[int, ...], number: float) -> Any:
    found = PICTURES.copy()
    found[index] = number
    return found


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (spoilt((7, 1, 2, 0), np.nan), "c.npz: x holds NaN or the like in 1 of 40 rows, first in row 7 at [1, 2, 0]"),
        (spoilt((3,), -np.inf), "c.npz: x holds infinity or the like in 1 of 40 rows, first in row 3 at [0, 0, 0]"),
        (PICTURES * 0, "c.npz: x is 0 in every element of every row: nothing can be learnt from that"),
    ],
)
def test_rows_that_teach_nothing_are_refused(tmp_path: Path, images: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(tmp_path, signature([IMAGES]), x=images)
    assert caught.value.message == message
    assert caught.value.steps == ("model", "data", "calibration")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (PICTURES, []),
        (PICTURES[:31], ["ranges were learnt from 31 rows, 32 or more are usual"]),
        (
            PICTURES[[0, 1] * 20],
            [
                "ranges were learnt from 2 different rows of 40, 32 or more are usual",
                "int8 is held against the rows that calibrated it",
            ],
        ),
        (spoilt((slice(2, 5),), 1.0), ["3 of 40 rows of x are constant, first row 2"]),
    ],
)
def test_weak_rows_are_told(tmp_path: Path, images: Any, said: list[str]) -> None:
    assert list(read(tmp_path, signature([IMAGES]), x=images).weaknesses) == said


def test_a_constant_input_beside_others_is_weak(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", x=PICTURES, mask=np.ones((40, 4), np.float32))
    found = signature([IMAGES, Input("mask", "float32", ("batch", 4))])
    made = load(tmp_path / "c.npz", found, constant=lambda item: np.zeros(item.shape(1)))
    assert made.weaknesses == ("mask is 1 in every element",)


def test_raw_pixels_are_worth_a_note(tmp_path: Path) -> None:
    raw = np.random.default_rng(2).integers(0, 256, PICTURES.shape).astype(np.float32)
    made = read(tmp_path, signature([IMAGES]), x=raw)
    assert made.weaknesses == ()
    assert "like pixels that are not normalised" in made.notes[0]
    assert read(tmp_path, signature([IMAGES]), x=raw / 255).notes == ()


def test_rows_unlike_the_inputs_that_the_job_gives_are_weak(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", x=PICTURES * 255)
    found = load(tmp_path / "c.npz", signature([IMAGES]), constant=lambda item: np.zeros(1), others={"x": PICTURES[:5]})
    assert found.weaknesses[0].startswith("x reaches ")


def test_rows_are_held_out_only_where_nothing_else_judges(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", x=PICTURES)

    def constant(item: Input) -> Any:
        return np.zeros(1)

    assert load(tmp_path / "c.npz", signature([IMAGES]), constant=constant, evaluation={"x": PICTURES + 1}).held == ()
    held = load(tmp_path / "c.npz", signature([IMAGES]), constant=constant).held
    assert len(held) == 8
    assert load(tmp_path / "c.npz", signature([IMAGES]), constant=constant).held == held  # the same rows each time


@pytest.mark.parametrize(("leaked", "said"), [(0, ""), (3, "3 of 10 rows"), (10, "10 of 10 rows")])
def test_evaluation_rows_that_calibrated_are_told(tmp_path: Path, leaked: int, said: str) -> None:
    np.savez(tmp_path / "c.npz", x=PICTURES)
    rows = np.concatenate([PICTURES[30 : 30 + leaked], PICTURES[leaked:10] + 1])
    found = load(tmp_path / "c.npz", signature([IMAGES]), constant=lambda item: np.zeros(1), evaluation={"x": rows})
    told = " of evaluation data are among the calibration rows, which flatters int8"
    assert found.weaknesses == ((said + told,) if said else ())


@pytest.mark.parametrize("copied", [0, 10, 40])
def test_rows_that_the_file_holds_twice_are_held_out_twice(tmp_path: Path, copied: int) -> None:
    np.savez(tmp_path / "c.npz", x=np.concatenate([PICTURES[:copied], PICTURES, PICTURES]))
    found = load(tmp_path / "c.npz", signature([IMAGES]), constant=lambda item: np.zeros(1))
    learnt = {found.arrays["x"][row].tobytes() for row in found.learnt}
    assert found.held
    assert not any(found.arrays["x"][row].tobytes() in learnt for row in found.held)


def test_a_weak_calibration_stands_on_the_variants_of_int8(place: Workplace) -> None:
    save(place, linear(), x=ROWS[:9])
    prepared = place.prepare(JOB + "variants: {precision: [fp32, int8]}")
    said = {variant.precision.value: variant.weak_calibration for variant in prepared.spec.variants}
    assert said == {"fp32": "", "int8": "ranges were learnt from 9 rows, 32 or more are usual"}
    assert f"note: calibration data: {said['int8']}" in place.progress


def test_a_graph_that_runs_with_one_batch_size_alone_is_calibrated_with_it(place: Workplace) -> None:
    """Its batch is open by name, and a reshape inside fixes it at 4."""
    shape = np.array([4, 3], dtype=np.int64)
    nodes = [NODE("MatMul", ["x", "w"], ["h"]), NODE("Reshape", ["h", "shape"], ["y"])]
    model = model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 3])], w=floats(4, 3), shape=shape)
    save(place, model, x=ROWS + 1)
    prepared = place.prepare(JOB + "variants: {precision: [int8], batch: [4]}")
    assert [variant.batch for variant in prepared.spec.variants] == [4]
