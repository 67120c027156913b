"""A sweep of a named dimension: each size has inputs, reference inputs and outputs, and lowered graphs of its own."""

import re
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from controller.intake.prepare import PreparedJob
from controller.model.job import Variant
from tests.intake.conftest import Workplace, linear

SEQ = "{x: {shape: [batch, seq=8, 4]}}"
JOB = f"model:\n  onnx: m.onnx\n  inputs: {SEQ}\n"


def added() -> onnx.ModelProto:
    """z = x + y, where y has the dimension too."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", dim])
        for name, dim in (("x", "length"), ("y", "length"), ("z", "length"))
    ]
    graph = helper.make_graph([helper.make_node("Add", ["x", "y"], ["z"])], "added", values[:2], values[2:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def reshaped() -> onnx.ModelProto:
    """y = x with 8 rows, whatever its shape says."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "length", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    shape = helper.make_tensor("to", TensorProto.INT64, [2], [-1, 32])
    scaled = helper.make_node("Mul", ["r", "two"], ["y"])
    two = helper.make_tensor("two", TensorProto.FLOAT, [32], [2.0] * 32)
    nodes = [helper.make_node("Reshape", ["x", "to"], ["r"]), scaled]
    graph = helper.make_graph(nodes, "reshaped", [x], [y], [shape, two])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def arrays(prepared: PreparedJob, variant: Variant, role: str) -> dict[str, "np.ndarray[Any, Any]"]:
    chosen = [item for item in variant.artifacts if item.role.value == role]
    assert len({item.name for item in chosen}) == len(chosen)
    return {item.name: np.load(prepared.files[item.sha256], allow_pickle=False) for item in chosen}


def test_each_size_has_inputs_and_references_of_its_own(place: Workplace) -> None:
    place.model(linear(("n", "length", 4)))
    prepared = place.prepare(f"{JOB}variants: {{batch: [1, 3], precision: [fp32, fp16], dims: {{seq: [2, 5]}}}}")
    assert [item.key for item in prepared.spec.variants] == [
        f"onnxruntime-{precision}-b{batch}-cpu-seq_{seq}"
        for precision in ("fp32", "fp16")
        for batch in (1, 3)
        for seq in (2, 5)
    ]
    for variant in prepared.spec.variants:
        shape = (variant.batch, int(variant.key.rpartition("_")[2]), 4)
        assert [item.shape for item in variant.inputs] == [shape]
        (given,) = arrays(prepared, variant, "reference-input").values()
        (answer,) = arrays(prepared, variant, "reference-output").values()
        assert given.shape == shape
        weight = np.arange(12, dtype=np.float32).reshape(4, 3)
        np.testing.assert_allclose(answer, given @ weight, rtol=1e-5, atol=1e-5)
    assert "computing the reference outputs for batch 3, seq=5" in place.progress


def test_an_input_that_shares_the_dimension_takes_its_size(place: Workplace) -> None:
    place.model(added())
    inputs = "{x: {shape: [batch, seq=8]}}"
    prepared = place.prepare(f"model:\n  onnx: m.onnx\n  inputs: {inputs}\nvariants: {{dims: {{seq: [3, 8]}}}}")
    assert [[item.shape for item in variant.inputs] for variant in prepared.spec.variants] == [
        [(1, 3), (1, 3)],
        [(1, 8), (1, 8)],
    ]


def test_several_dimensions_are_combined(place: Workplace) -> None:
    place.model(linear(("n", "height", "width", 4)))
    inputs = "{x: {shape: [batch, h=8, w=8, 4]}}"
    dims = "{w: [2, 3], h: [4, 5]}"
    prepared = place.prepare(f"model:\n  onnx: m.onnx\n  inputs: {inputs}\nvariants: {{dims: {dims}}}")
    assert {item.key: item.inputs[0].shape for item in prepared.spec.variants} == {
        f"onnxruntime-fp32-b1-cpu-h_{h}-w_{w}": (1, h, w, 4) for h in (4, 5) for w in (2, 3)
    }


def test_a_module_is_exported_once_and_answers_for_each_size(place: Workplace) -> None:
    net = "import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return x.cumsum(1)\n"
    place.write("sweptnet.py", f"{net}\n\ndef load():\n    return Net()\n")
    prepared = place.prepare(f"model:\n  torch: sweptnet:load\n  inputs: {SEQ}\nvariants: {{dims: {{seq: [3, 16]}}}}")
    assert [item.inputs[0].shape for item in prepared.spec.variants] == [(1, 3, 4), (1, 16, 4)]
    for variant in prepared.spec.variants:
        (given,) = arrays(prepared, variant, "reference-input").values()
        (answer,) = arrays(prepared, variant, "reference-output").values()
        np.testing.assert_allclose(answer, given.cumsum(1), rtol=1e-5, atol=1e-5)
    (model,) = {item.sha256 for v in prepared.spec.variants for item in v.artifacts if item.role.value == "model-fp32"}
    graph = onnx.load_model(str(prepared.files[model]))
    assert graph.graph.input[0].type.tensor_type.shape.dim[1].dim_param


@pytest.mark.parametrize(
    ("dims", "message", "hint"),
    [
        ("{seg: [2]}", "no input of the model has a dimension 'seg'", "did you mean 'seq'?"),
        ("{seq: [2, 2]}", "2 is listed twice", ""),
        ("{seq: [0]}", "*", ""),
        ("{seq: []}", "*", ""),
    ],
)
def test_axes_that_are_wrong(place: Workplace, dims: str, message: str, hint: str) -> None:
    error = place.refused(f"{JOB}variants: {{dims: {dims}}}")
    assert error.where.startswith("job.yaml:6:")
    assert re.fullmatch(message.replace("*", ".*"), error.message)
    assert error.hint == hint


def test_a_dimension_without_a_name_is_told_how_to_get_one(place: Workplace) -> None:
    error = place.refused("model: {onnx: m.onnx}\nvariants: {dims: {seq: [2]}}")
    assert error.expected == "a dimension written as seq=SIZE in the shape of an input"


@pytest.mark.parametrize("kind", ["evaluation", "calibration"])
def test_data_of_one_size(place: Workplace, kind: str) -> None:
    place.model(linear(("n", "length", 4)))
    np.savez(place.folder / "d.npz", x=np.zeros((2, 8, 4), "f4"))
    error = place.refused(f"{JOB}  data: {{{kind}: d.npz}}\nvariants: {{dims: {{seq: [2, 8]}}}}")
    assert error.message == f"{kind} data has one size for each dimension, and variants.dims asks for several"
    assert error.where.startswith("job.yaml:6:")


def test_a_dimension_that_the_graph_fixes(place: Workplace) -> None:
    place.model(linear(("n", 8, 4)))
    error = place.refused(f"{JOB}variants: {{dims: {{seq: [8, 16]}}}}")
    assert error.message == "dimension 1 (seq) of input 'x' is fixed at 8 in the graph"
    assert (error.expected, error.where) == ("seq: [8]", "job.yaml:6:24")


def test_a_size_that_the_model_does_not_run_with(place: Workplace) -> None:
    place.model(reshaped())
    eight, nine = place.prepare(f"{JOB}variants: {{dims: {{seq: [8, 9]}}}}").spec.variants
    assert eight.refusal == ""
    assert nine.refusal.startswith("the model does not run with batch 1, seq=9: ")
    error = place.refused(f"{JOB}variants: {{dims: {{seq: [9]}}}}")
    assert nine.refusal.startswith(error.message)
    assert error.where.startswith("job.yaml:6:")


def test_a_name_that_is_an_option_axis_too(place: Workplace) -> None:
    inputs = "{x: {shape: [batch, threads=8, 4]}}"
    axes = "{options: {threads: [1]}, dims: {threads: [2]}}"
    error = place.refused(f"model:\n  onnx: m.onnx\n  inputs: {inputs}\nvariants: {axes}")
    assert error.message == "threads is an axis of both options and dims, and their values would not be told apart"


def test_a_size_outside_of_the_profile(place: Workplace) -> None:
    place.model(linear(("n", "length", 4)))
    profile = "{x: {min: [1, 2, 4], opt: [1, 8, 4], max: [1, 8, 4]}}"
    error = place.refused(
        f"{JOB}variants: {{runtime: [tensorrt], dims: {{seq: [8, 9]}}}}\noptions: {{tensorrt: {{profile: {profile}}}}}"
    )
    assert "dimension 1 of input 'x' is 9 in tensorrt-fp32-b1-gpu-seq_9" in error.message


def keys(place: Workplace, variants: str) -> list[str]:
    place.model(linear(("n", "length", 4)))
    prepared = place.prepare(f"{JOB}variants: {variants}")
    return [item.key.removeprefix("onnxruntime-fp32-b1-cpu-") for item in prepared.spec.variants]


def test_exclude_and_include_name_options_and_dimensions(place: Workplace) -> None:
    axes = "dims: {seq: [2, 5]}, options: {threads: [1, 2]}"
    assert keys(place, f"{{{axes}, exclude: [{{dims: {{seq: 5}}, options: {{threads: [2]}}}}]}}") == [
        "seq_2-threads_1",
        "seq_5-threads_1",
        "seq_2-threads_2",
    ]
    assert keys(place, f"{{{axes}, exclude: [{{dims: {{seq: [2]}}}}]}}") == ["seq_5-threads_1", "seq_5-threads_2"]
    included = keys(place, f"{{{axes}, include: [{{dims: {{seq: 9}}, options: {{threads: 3}}}}]}}")
    assert included[-1] == "seq_9-threads_3"
    assert len(included) == 5
    assert "computing the reference outputs for batch 1, seq=9" in place.progress


def test_a_size_that_is_excluded_is_not_made(place: Workplace) -> None:
    assert keys(place, "{dims: {seq: [2, 5]}, exclude: [{dims: {seq: 5}}]}") == ["seq_2"]
    assert "computing the reference outputs for batch 1, seq=5" not in place.progress


@pytest.mark.parametrize(("section", "told"), [
    ("exclude: [{dims: {sek: 5}}]", "the dimension 'sek' is not an axis of this job"),
    ("include: [{dims: {sek: 5}}]", "the dimension 'sek' is not an axis of this job"),
    ("exclude: [{options: {spinning: off}}]", "the option 'spinning' is not an axis of this job"),
    ("include: [{options: {threads: 0}}]", "0 is not a valid value of threads of onnxruntime"),
    ("include: [{dims: {seq: 0}}]", "0 is not allowed here"),
])  # fmt: skip
def test_what_exclude_and_include_may_not_name(place: Workplace, section: str, told: str) -> None:
    place.model(linear(("n", "length", 4)))
    error = place.refused(f"{JOB}variants: {{dims: {{seq: [2, 5]}}, options: {{threads: [1, 2]}}, {section}}}")
    assert told in str(error)
    assert error.where.startswith("job.yaml:")
