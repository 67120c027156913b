"""Sums inside of an operator: beyond half precision although what comes out is small."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from controller.intake.lowering.ranges import seen_values
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.true_half import SCALAR, both, kept

SIDE = 96


def pooled(op: str) -> onnx.ModelProto:
    """A layer, then an operator that adds up an image, and what brings a sum down to a mean."""
    share = {"share": SCALAR([1 / SIDE**2])} if op in ("ReduceSum", "ReduceL1") else {}
    named = {"scale": np.ones(4, np.float32), "offset": np.zeros(4, np.float32)}
    more = named if op == "InstanceNormalization" else {}
    attributes = {"axes": [2, 3]} if op.startswith("Reduce") and op != "ReduceSum" else {}
    attributes |= {"kernel_shape": [SIDE, SIDE]} if op == "AveragePool" else {}
    read = ["c", *more, *(["spatial"] if op == "ReduceSum" else [])]
    nodes = [
        NODE("Conv", ["x", "w"], ["c"]),
        NODE(op, read, ["s"], **attributes),
        NODE("Mul", ["s", "share"], ["y"]) if share else NODE("Identity", ["s"], ["y"]),
    ]
    axes = {"spatial": np.array([2, 3])} if op == "ReduceSum" else {}
    shape = ["N", 4, None, None]
    weights = {"w": 8 * np.abs(floats(4, 3, 1, 1)), **share, **more, **axes}
    return model_of(nodes, [value("x", ["N", 3, SIDE, SIDE])], [value("y", shape)], **weights)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceL1", "InstanceNormalization"])
def test_a_sum_that_overflows_inside_is_right_in_half(tmp_path: Path, op: str) -> None:
    inputs = {"x": 3 + np.abs(floats(1, 3, SIDE, SIDE))}
    made, (got,), (want,) = both(pooled(op), inputs, tmp_path)
    assert np.isfinite(want).all()
    assert np.allclose(got, want, rtol=1e-2, atol=2e-2)
    assert kept(made, op)
    assert not kept(made, "Conv")


@pytest.mark.parametrize("op", ["ReduceMean", "GlobalAveragePool", "AveragePool"])
def test_a_mean_whose_sum_overflows_keeps_float32(tmp_path: Path, op: str) -> None:
    """The reference evaluator adds up means in float32, which runtimes need not do."""
    made, _, _ = both(pooled(op), {"x": 3 + np.abs(floats(1, 3, SIDE, SIDE))}, tmp_path)
    (reason,) = (why for name, why in made.kept.items() if name.startswith(op))
    assert reason.startswith(f"a sum inside of {op}")


@pytest.mark.parametrize("op", ["ReduceMean", "GlobalAveragePool"])
def test_a_mean_that_cannot_overflow_is_half(tmp_path: Path, op: str) -> None:
    made, _, _ = both(pooled(op), {"x": floats(1, 3, SIDE, SIDE) / 100}, tmp_path)
    assert made.kept == {}


def test_the_extent_is_that_of_the_reference_run_where_the_graph_leaves_it_open(tmp_path: Path) -> None:
    nodes = [NODE("ReduceMean", ["x"], ["m"], axes=[1]), NODE("Neg", ["m"], ["y"])]
    onnx.save_model(model_of(nodes, [value("x", ["N", "L"])], [value("y", ["N", 1])]), str(tmp_path / "m.onnx"))
    seen = seen_values(tmp_path / "m.onnx", {"x": np.full((2, 50_000), 2, np.float32)})
    assert seen.sums == {"m": 100_000}
    assert seen.beyond_half() == ["m adds up"]


def test_empty_tensors_do_not_hide_the_sums_of_others(tmp_path: Path) -> None:
    nodes = [
        NODE("Relu", ["past"], ["p"]),
        NODE("ReduceMean", ["x"], ["m"], axes=[1]),
        NODE("Neg", ["m"], ["y"]),
    ]
    inputs = [value("x", ["N", "L"]), value("past", ["N", 0])]
    model = model_of(nodes, inputs, [value("y", ["N", 1]), value("p", ["N", 0])])
    onnx.save_model(model, str(tmp_path / "m.onnx"))
    given = {"x": np.full((2, 50_000), 2, np.float32), "past": np.zeros((2, 0), np.float32)}
    assert seen_values(tmp_path / "m.onnx", given).sums == {"m": 100_000}


def test_a_softmax_over_a_large_vocabulary_keeps_float32(tmp_path: Path) -> None:
    nodes = [NODE("MatMul", ["x", "w"], ["a"]), NODE("Softmax", ["a"], ["y"], axis=-1)]
    model = model_of(nodes, [value("x", ["N", 2])], [value("y", ["N", 70_000])], w=floats(2, 70_000) / 100)
    made, (got,), (want,) = both(model, {"x": floats(2, 2)}, tmp_path)
    assert np.allclose(got * 70_000, want * 70_000, rtol=2e-2)
    assert kept(made, "Softmax")
    assert not kept(made, "MatMul")
