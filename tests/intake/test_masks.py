"""Masks before a Softmax in half precision: cut where that changes nothing, kept in float32 where it would."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.true_half import SCALAR, both, kept


@pytest.mark.parametrize("fill", [-1e9, -3.4e38, float("-inf")])
def test_a_mask_before_a_softmax_is_cut_and_listed(tmp_path: Path, fill: float) -> None:
    nodes = [NODE("Add", ["x", "m"], ["a"]), NODE("Softmax", ["a"], ["y"], axis=-1)]
    model = model_of(
        nodes, [value("x", ["N", 4])], [value("y", ["N", 4])], m=np.array([[0, 0, 0, fill]], dtype=np.float32)
    )
    made, (got,), (want,) = both(model, {"x": floats(2, 4)}, tmp_path)
    assert np.allclose(got, want, atol=2e-3)
    assert made.cut == (() if np.isinf(fill) else ("m",))
    assert made.kept == {}


def padded(lowest: float, *, opset: int = 17) -> onnx.ModelProto:
    """A padding mask made from integers, added twice; the scores come from a layer."""
    nodes = [
        NODE("MatMul", ["x", "w"], ["scores"]),
        NODE("Cast", ["ids"], ["f"], to=TensorProto.FLOAT),
        NODE("Sub", ["one", "f"], ["inverse"]),
        NODE("Mul", ["inverse", "lowest"], ["mask"]),
        NODE("Add", ["scores", "mask"], ["a"]),
        NODE("Add", ["a", "mask"], ["b"]),
        NODE("Softmax", ["b"], ["y"], **({"axis": -1} if opset > 12 else {})),
    ]
    inputs = [value("x", ["N", 4]), value("ids", ["N", 4], TensorProto.INT64)]
    weights = {"one": SCALAR([1]), "lowest": SCALAR([lowest]), "w": 4 * floats(4, 4)}
    return model_of(nodes, inputs, [value("y", ["N", 4])], opset=opset, **weights)


@pytest.mark.parametrize("lowest", [-1e9, -3.4e38 / 4])
def test_a_mask_of_parts_of_rows_is_cut_and_stays_finite_when_it_is_added_twice(tmp_path: Path, lowest: float) -> None:
    ids = np.array([[1, 1, 0, 0], [0, 0, 0, 1]])
    made, (got,), (want,) = both(padded(lowest), {"x": floats(2, 4), "ids": ids}, tmp_path)
    assert np.allclose(got, want, atol=2e-2)
    assert made.cut == ("lowest",)


@pytest.mark.parametrize("opset", [11, 17, 18])
@pytest.mark.parametrize("lowest", [-1e4, -6e4, -1e9, -3.4e38 / 4])
def test_a_row_that_is_masked_as_a_whole_is_as_in_float32(tmp_path: Path, lowest: float, opset: int) -> None:
    ids = np.array([[1, 1, 0, 0], [0, 0, 0, 0]])
    model = padded(lowest, opset=opset)
    made, (got,), (want,) = both(model, {"x": 4 * floats(2, 4), "ids": ids}, tmp_path)
    assert np.allclose(got, want, atol=2e-2)
    assert made.cut == ()
    assert kept(made, "Softmax")
    assert not kept(made, "MatMul")


def test_a_padding_row_does_not_stop_fp16(place: Workplace) -> None:
    """A CPU computes half in float32: a mask that is cut would leave it the differences that float32 loses."""
    place.model(padded(-3.4e38 / 4))
    np.savez(place.folder / "v.npz", ids=np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]))
    variants = place.prepare(
        "model: {onnx: m.onnx, inputs: {ids: {values: v.npz}}}\nvariants: {precision: [fp32, fp16], batch: [1, 3]}"
    ).spec.variants
    assert [item.refusal for item in variants] == [""] * 4
