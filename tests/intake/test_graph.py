"""ONNX models, from the job file to artifacts: what is accepted, and what a hostile or open graph is told."""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from controller.model.job import Precision, Role, TensorSpec
from jetfleet.blobs import sha256_file
from tests.intake.conftest import Workplace, linear

ONNX = "model:\n  onnx: m.onnx\n"


def state_model() -> onnx.ModelProto:
    """A model with a scalar int64 input, an unnamed open dimension, and state whose batch is its second dimension."""
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, None]),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, None, 4]),
        helper.make_tensor_value_info("sr", TensorProto.INT64, []),
    ]
    outputs = [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, None, 4]),
        helper.make_tensor_value_info("rate", TensorProto.INT64, []),
    ]
    axes = numpy_helper.from_array(np.array([1], dtype=np.int64), "axes")
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Add", ["state", "mean"], ["y"]),
        helper.make_node("Identity", ["sr"], ["rate"]),
    ]
    graph = helper.make_graph(nodes, "state", inputs, outputs, [axes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_smallest_job(place: Workplace) -> None:
    path = place.model(linear())
    prepared = place.prepare(ONNX)
    (variant,) = prepared.spec.variants
    assert (variant.key, variant.precision) == ("onnxruntime-fp32-b1-cpu", Precision.FP32)
    assert variant.inputs == (TensorSpec("x", "float32", (1, 4)),)
    model = next(item for item in variant.artifacts if item.role is Role.MODEL_FP32)
    assert (model.name, model.sha256) == ("model.onnx", sha256_file(path))
    assert all(sha256_file(prepared.files[item.sha256]) == item.sha256 for item in variant.artifacts)
    assert all(prepared.files[item.sha256].stat().st_size == item.size_bytes for item in variant.artifacts)
    assert prepared.spec.source == place.job(ONNX).read_text()
    assert place.progress[0] == "checking m.onnx"


def test_references_are_the_models_own_answers_for_every_batch(place: Workplace) -> None:
    place.model(linear())
    prepared = place.prepare(ONNX + "variants: {batch: [1, 8]}")
    for batch in (1, 8):
        x = place.arrays(prepared, "reference-input", batch)["x"]
        y = place.arrays(prepared, "reference-output", batch)["y"]
        assert x.shape == (batch, 4)
        np.testing.assert_allclose(y, x @ np.arange(12, dtype=np.float32).reshape(4, 3), rtol=1e-5)


def test_synthetic_inputs_follow_the_seed(place: Workplace) -> None:
    place.model(linear())
    first, again = place.prepare(ONNX), place.prepare(ONNX)
    other = place.prepare(ONNX + "export: {seed: 1}")
    assert first.files.keys() == again.files.keys() != other.files.keys()


def test_initialisers_listed_as_inputs_are_not_inputs(place: Workplace) -> None:
    place.model(linear(opset=8, ir=3, weights_as_inputs=True))
    assert [item.name for item in place.prepare(ONNX).spec.variants[0].inputs] == ["x"]


def test_external_data_travels_under_a_plain_name(place: Workplace) -> None:
    (place.folder / "sub").mkdir()
    place.model(linear(), save_as_external_data=True, location="sub/w.bin", size_threshold=0)
    prepared = place.prepare(ONNX)
    data = [item for item in prepared.spec.variants[0].artifacts if item.role is Role.MODEL_DATA]
    assert [item.name for item in data] == ["data-0.bin"]
    assert data[0].sha256 == sha256_file(place.folder / "sub" / "w.bin")
    place.model(linear(), save_as_external_data=True, location="w.bin", size_threshold=0)
    prepared = place.prepare(ONNX)
    assert [item.name for item in prepared.spec.variants[0].artifacts if item.role is Role.MODEL_DATA] == ["w.bin"]
    assert sha256_file(place.folder / "m.onnx") in prepared.files


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("../secret", "leaves the model's folder"),
        ("/etc/hostname", "leaves the model's folder"),
        ("link", "is a link that leaves the model's folder"),
        ("sub/../../secret", "leaves the model's folder"),
        ("pipe", "is not a regular file"),
        ("missing", "does not exist"),
        ("", "keeps its data nowhere"),
    ],
)
def test_external_data_from_elsewhere_is_refused(place: Workplace, location: str, problem: str) -> None:
    (place.folder / "link").symlink_to("/etc/hostname")
    os.mkfifo(place.folder / "pipe")
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (place.folder / "m.onnx").write_bytes(model.SerializeToString())
    error = place.refused(ONNX)
    assert problem in error.message
    assert error.where == "job.yaml:4:9"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a model", "m.onnx does not parse as ONNX"),
        (b"", "m.onnx holds no ONNX graph"),
        (linear(opset=99).SerializeToString(), "opset 99 is not supported"),
        (linear(opset=5).SerializeToString(), "opset 5 is not supported"),
    ],
)
def test_files_that_are_no_model(place: Workplace, content: bytes, message: str) -> None:
    (place.folder / "m.onnx").write_bytes(content)
    error = place.refused(ONNX)
    assert (error.message, error.where) == (message, "job.yaml:4:9")


def test_a_graph_that_the_checker_or_the_runtime_refuses(place: Workplace) -> None:
    model = linear()
    model.graph.node[0].op_type = "NoSuchOp"
    (place.folder / "m.onnx").write_bytes(model.SerializeToString())
    assert place.refused(ONNX).message.startswith("not a valid ONNX model: No Op registered for NoSuchOp")
    model.graph.node[0].domain = "mine"
    model.opset_import.append(helper.make_opsetid("mine", 1))
    (place.folder / "m.onnx").write_bytes(model.SerializeToString())
    assert place.refused(ONNX).message.startswith("ONNX Runtime cannot load the model: Fatal error: mine:NoSuchOp")


def test_missing_files(place: Workplace) -> None:
    error = place.refused(ONNX)
    assert error.message == "m.onnx does not exist"
    assert (error.where, error.expected) == ("job.yaml:4:9", f"a file; paths start at {place.folder}")
    (place.folder / "m.onnx").mkdir()
    assert place.refused(ONNX).message.endswith("m.onnx is not a regular file")


def add_lines(text: str, advice: str) -> str:
    """job.yaml after doing exactly what a hint says: its lines, below the line that it names."""
    said, *lines = advice.splitlines()
    below = said.split("`")[1]
    index = next(i for i, line in enumerate(text.splitlines()) if line.strip() == below)
    rows = text.splitlines()
    return "\n".join([*rows[: index + 1], *lines, *rows[index + 1 :]])


@pytest.mark.parametrize(
    "rest", ["", "  inputs:\n    sr: {values: 'constant[16000]'}\n", "  inputs:\n    input:\n      dtype: float32\n"]
)
def test_an_open_dimension_is_settled_by_the_line_that_the_error_names(place: Workplace, rest: str) -> None:
    place.model(state_model())
    error = place.refused(ONNX + rest)
    assert error.message == "dimension 1 of input 'input' has no size: the graph leaves it open"
    text = add_lines(ONNX + rest, error.hint)
    if "dtype" in rest:
        text = add_lines(text, place.refused(text).hint)
    shapes = {item.name: item.shape for item in place.prepare(text).spec.variants[0].inputs}
    assert (shapes["input"], shapes["sr"]) == ((1, 128), ())


def test_a_named_dimension_is_named_and_names_are_quoted(place: Workplace) -> None:
    model = linear(("N", "length", 4))
    model.graph.input[0].name = model.graph.node[0].input[0] = "1"
    place.model(model)
    error = place.refused(ONNX)
    assert error.message == "dimension 1 (length) of input '1' has no size: the graph leaves it open"
    assert '    "1": {shape: [batch, 128, 4]}' in error.hint
    assert place.prepare(add_lines(ONNX, error.hint)).spec.variants[0].inputs[0].shape == (1, 128, 4)


@pytest.mark.parametrize(
    ("shape", "rest", "where", "message"),
    [
        ((2, 4), "variants: {batch: [8]}", "5:20", "batch 8 is asked for, but the batch is fixed at 2"),
        ((), "variants: {batch: [8]}", "5:20", "batch 8 is asked for, but no input has a batch dimension"),
        (("N", 4), "  inputs: {z: {}}", "5:15", "the model has no input 'z'"),
        (("N", 4), "  inputs: {x: {shape: [batch]}}", "5:23", "input 'x' has 2 dimensions, not 1"),
        (("N", 4), "  inputs: {x: {shape: [batch, 5]}}", "5:31", "dimension 1 of input 'x' is 4, not 5"),
        ((1, 4), "  inputs: {x: {shape: [batch, 4]}}", "5:24", "dimension 0 of input 'x' is 1, not batch"),
        (("N", 4), "  inputs: {x: {dtype: int32}}", "5:23", "input 'x' is float32, not int32"),
        (("N", 4), "  inputs: {x: {values: a.npy}}", "5:24", "a.npy does not exist"),
    ],
)
def test_what_a_graph_cannot_take(
    place: Workplace, shape: tuple[int | str, ...], rest: str, where: str, message: str
) -> None:
    model = linear(shape) if shape else scalar_model()
    place.model(model)
    error = place.refused(ONNX + rest)
    assert error.where == f"job.yaml:{where}"
    assert error.message.endswith(message.lstrip("*"))


def test_a_batch_that_the_graph_cannot_take_does_not_stop_the_others(place: Workplace) -> None:
    place.model(linear((2, 4)))
    variants = place.prepare(ONNX + "variants: {batch: [2, 8], precision: [fp32, fp16]}").spec.variants
    refusals = {(item.batch, item.precision.value): item.refusal for item in variants}
    assert refusals[2, "fp32"] == refusals[2, "fp16"] == ""
    for precision in ("fp32", "fp16"):
        assert refusals[8, precision].startswith(
            "batch 8 is asked for, but the batch is fixed at 2; expected batch: [2]"
        )


def scalar_model() -> onnx.ModelProto:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "scalar", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_integers_scalars_and_values(place: Workplace) -> None:
    place.model(state_model())
    prepared = place.prepare(
        ONNX
        + "  inputs:\n    input: {shape: [batch, 8], values: 'uniform[2,3]'}\n    state: {shape: [2, batch, 4]}\n"
        + "    sr: {values: 'constant[16000]'}\nvariants: {batch: [1, 3]}"
    )
    inputs = place.arrays(prepared, "reference-input", 3)
    assert inputs["input"].shape == (3, 8)
    assert ((inputs["input"] >= 2) & (inputs["input"] <= 3)).all()
    assert (inputs["sr"].shape, inputs["sr"].dtype, int(inputs["sr"])) == ((), np.int64, 16000)
    assert place.arrays(prepared, "reference-output", 3)["y"].shape == (2, 3, 4)


def test_values_from_a_file(place: Workplace) -> None:
    place.model(linear())
    rows = np.arange(40, dtype=np.float32).reshape(10, 4)
    np.save(place.folder / "x.npy", rows)
    np.savez(place.folder / "x.npz", x=rows)
    for name in ("x.npy", "x.npz"):
        prepared = place.prepare(ONNX + f"  inputs: {{x: {{values: {name}}}}}\nvariants: {{batch: [2]}}")
        np.testing.assert_array_equal(place.arrays(prepared, "reference-input", 2)["x"], rows[:2])


def test_nothing_is_left_behind(place: Workplace) -> None:
    place.model(linear())
    place.prepare(ONNX)
    assert sorted(path.name for path in (place.state / "cache").iterdir()) == ["blobs"]
    assert json.dumps(place.progress) == json.dumps(["checking m.onnx", "computing the reference outputs for batch 1"])


def test_a_path_may_be_given_from_another_folder(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.model(linear())
    job = place.job(ONNX)
    monkeypatch.chdir(place.folder.parent)
    from controller.intake.prepare import prepare

    relative = Path(place.folder.name) / job.name
    assert prepare(relative, state_dir=Path(place.folder.name) / "state", progress=place.progress.append).files


@pytest.mark.parametrize(
    ("nodes", "inputs", "outputs", "said"),
    [
        (
            [helper.make_node("StringNormalizer", ["s"], ["y"], case_change_action="LOWER")],
            [helper.make_tensor_value_info("s", TensorProto.STRING, ["N"])],
            [helper.make_tensor_value_info("y", TensorProto.STRING, ["N"])],
            "input 's' holds texts",
        ),
        (
            [helper.make_node("SplitToSequence", ["x"], ["sq"], axis=1)],
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
            [helper.make_tensor_sequence_value_info("sq", TensorProto.FLOAT, None)],
            "output 'sq' holds a sequence, whose length is known only when it has run",
        ),
        (
            [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)],
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
            [helper.make_tensor_value_info("y", TensorProto.STRING, ["N", 4])],
            "output 'y' holds texts",
        ),
    ],
)
def test_what_is_not_numbers_is_told_in_plain_words(place, nodes, inputs, outputs, said):
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    place.model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    assert said in place.refused("model: {onnx: m.onnx}").message
