"""Models in float64: every precision that is told of them is one that they run in."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from controller.model.job import Precision, Role
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, graph_of, model_of, value
from tests.intake.true_half import both

DOUBLE = TensorProto.DOUBLE
ALL = "model: {onnx: m.onnx, data: {calibration: c.npz}}\nvariants: {precision: [fp32, fp16, int8]}"


def regression(*, own_type: bool = True) -> onnx.ModelProto:
    """As converters of scikit-learn write it: weights in float64, and the inputs too where `own_type`."""
    nodes = [] if own_type else [NODE("Cast", ["x"], ["d"], to=DOUBLE)]
    nodes += [
        NODE("Constant", [], ["k"], value=onnx.numpy_helper.from_array(np.float64([2]))),
        NODE("MatMul", ["x" if own_type else "d", "w"], ["a"]),
        NODE("Add", ["a", "b"], ["c"]),
        NODE("Mul", ["c", "k"], ["e"]),
        NODE("Cast", ["e"], ["y"], to=DOUBLE if own_type else TensorProto.FLOAT),
    ]
    kind = DOUBLE if own_type else TensorProto.FLOAT
    weights = {"w": floats(8, 4).astype("f8"), "b": floats(4).astype("f8")}
    return model_of(nodes, [value("x", ["N", 8], kind)], [value("y", ["N", 4], kind)], **weights)


def doubles(model: onnx.ModelProto) -> list[str]:
    typed = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    items = (*typed.input, *typed.value_info, *typed.output)
    kinds = {item.name: item.type.tensor_type.elem_type for item in items}
    kinds |= {item.name: item.data_type for item in typed.initializer}
    return [name for name, kind in kinds.items() if kind == DOUBLE]


@pytest.mark.parametrize("own_type", [True, False])
def test_a_model_in_float64_is_brought_to_float32_and_lowered_from_there(place: Workplace, own_type: bool) -> None:
    place.model(regression(own_type=own_type))
    np.savez(place.folder / "c.npz", x=floats(40, 8))
    prepared = place.prepare(ALL)
    assert [item.refusal for item in prepared.spec.variants] == ["", "", ""]
    assert {spec.dtype for item in prepared.spec.variants for spec in item.inputs} == {"float32"}
    assert any("float64 (tensor " in line and "all of it is float32 now" in line for line in place.progress)
    for role in (Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ):
        assert doubles(graph_of(prepared, role)) == []
    halves = {item.name: item.data_type for item in graph_of(prepared, Role.MODEL_FP16).graph.initializer}
    assert halves["w"] == TensorProto.FLOAT16
    outputs = place.arrays(prepared, "reference-output", 1)
    assert outputs["y"].dtype == np.float32


def test_its_weights_may_lie_beside_it(place: Workplace) -> None:
    nodes = [NODE("MatMul", ["x", "w"], ["y"])]
    model = model_of(
        nodes, [value("x", ["N", 64], DOUBLE)], [value("y", ["N", 64], DOUBLE)], w=floats(64, 64).astype("f8")
    )
    place.model(model, save_as_external_data=True, location="weights.bin", size_threshold=100)
    prepared = place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16]}")
    assert [item.refusal for item in prepared.spec.variants] == ["", ""]
    assert not [item for item in prepared.spec.variants[0].artifacts if item.role is Role.MODEL_DATA]


def test_numbers_beyond_float32_are_told_and_masks_stay_finite(place: Workplace) -> None:
    nodes = [NODE("Add", ["x", "m"], ["a"]), NODE("Softmax", ["a"], ["y"], axis=-1)]
    mask = np.float64([0, 0, -1e300, np.finfo("f8").min])
    place.model(model_of(nodes, [value("x", ["N", 4], DOUBLE)], [value("y", ["N", 4], DOUBLE)], m=mask))
    prepared = place.prepare("model: {onnx: m.onnx}\n")
    assert any("2 numbers beyond float32 are the largest that it holds" in line for line in place.progress)
    assert np.isfinite(place.arrays(prepared, "reference-output", 1)["y"]).all()


def test_what_float32_cannot_compute_is_refused(place: Workplace) -> None:
    """A small difference of large numbers: float32 has none of it."""
    nodes = [NODE("Add", ["x", "big"], ["a"]), NODE("Sub", ["a", "big"], ["y"])]
    place.model(model_of(nodes, [value("x", ["N", 4], DOUBLE)], [value("y", ["N", 4], DOUBLE)], big=np.float64([1e12])))
    error = place.refused("model: {onnx: m.onnx}\n")
    assert error.message.startswith("brought from float64 to float32, the model answers differently in output 'y'")
    assert error.expected


def test_positions_in_float64_inside_of_a_network_stay_so(tmp_path: Path, place: Workplace) -> None:
    nodes = [
        NODE("Cast", ["p"], ["d"], to=DOUBLE),
        NODE("Mul", ["d", "some"], ["e"]),
        NODE("Sin", ["e"], ["s"]),
        NODE("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        NODE("MatMul", ["f", "w"], ["y"]),
    ]
    inputs: dict[str, Any] = {"p": np.float32([[4001, 2503, 17]])}
    weights = {"some": np.float64([0.7]), "w": floats(3, 4)}
    model = model_of(nodes, [value("p", ["N", 3])], [value("y", ["N", 4])], **weights)
    made, (got,), (want,) = both(model, inputs, tmp_path)
    assert np.allclose(got, want, atol=1e-2)
    assert [name for name in made.kept if "MatMul" in name] == []
    place.model(model)
    assert [item.refusal for item in place.prepare("model: {onnx: m.onnx}\n").spec.variants] == [""]
    assert not any("float64" in line for line in place.progress)


def test_a_module_in_float64_is_refused_in_words(place: Workplace) -> None:
    pytest.importorskip("torch")
    place.write(
        "net.py",
        textwrap.dedent("""
        import torch
        def build():
            return torch.nn.Linear(4, 3).double()
        """),
    )
    error = place.refused(
        "model: {torch: 'net:build', inputs: {input: {shape: [batch, 4], dtype: float64}}}\n"
        "variants: {precision: [fp32, fp16]}"
    )
    assert "is float64" in error.message
    assert error.expected == "a model in float32 or float16"
    assert Precision.FP32.value not in error.hint
