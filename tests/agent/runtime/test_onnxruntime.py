"""ONNX Runtime for real: graphs are built, saved, loaded and run; what it refuses is told in its own words."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.runtime.base import BuildRefused, DeviceFault
from agent.runtime.onnxruntime import engine_file
from agent.runtime.onnxruntime.options import session_options
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_DATA,
    ARTIFACT_ROLE_MODEL_FP32,
    Artifact,
    BuildTask,
    Subject,
    TensorSpec,
)
from tests.agent.builders import as_model, classifier, nowhere, scores, tensor_spec

X = np.random.default_rng(5).standard_normal((2, 6)).astype(np.float32)


def silent(phase: str, fraction: float | None, detail: str) -> None: ...


def build(folder: Path, model: bytes | onnx.ModelProto, inputs: list[TensorSpec] | None = None, **options: str) -> Path:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    task = BuildTask(
        engine_key="k",
        inputs=[tensor_spec()] if inputs is None else inputs,
        artifacts=[Artifact(role=ARTIFACT_ROLE_MODEL_FP32, name="model.onnx")],
        options=options,
    )
    OnnxRuntime().build(task, folder, folder / "engine", nowhere, silent)
    return folder / "engine"


def subject(inputs: list[TensorSpec] | None = None, **options: str) -> Subject:
    return Subject(inputs=[tensor_spec()] if inputs is None else inputs, options=options, placement="cpu")


def test_an_engine_answers_like_the_model_with_its_dimensions_fixed(tmp_path: Path) -> None:
    model, weights = classifier()
    engine = build(tmp_path, model)
    (graph_input,) = onnx.load(engine).graph.input
    assert [size.dim_value for size in graph_input.type.tensor_type.shape.dim] == [2, 6]
    session = OnnxRuntime().load(engine, subject(), nowhere)
    for x in (X, X + 1):
        session.bind({"x": x})
        session.infer()
        assert np.allclose(session.outputs()["scores"], scores(weights, x), atol=1e-5)
    session.close()


def test_outputs_are_copies_that_the_next_inference_does_not_change(tmp_path: Path) -> None:
    session = OnnxRuntime().load(build(tmp_path, classifier()[0]), subject(), nowhere)
    session.bind({"x": X})
    session.infer()
    first = session.outputs()["scores"]
    kept = first.copy()
    session.bind({"x": X * 3})
    session.infer()
    assert np.array_equal(first, kept)


def test_outputs_whose_shape_depends_on_the_data(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["places"])],
        "nonzero",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("places", TensorProto.INT64, [1, None])],
    )
    spec = [tensor_spec((4,))]
    session = OnnxRuntime().load(build(tmp_path, as_model(graph), spec), subject(spec), nowhere)
    for values in ([1, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 1]):
        x = np.array(values, dtype=np.float32)
        session.bind({"x": x})
        session.infer()
        assert np.array_equal(session.outputs()["places"], [np.flatnonzero(x)])


def test_dimensions_without_a_name_are_taken_from_the_task(tmp_path: Path) -> None:
    model, weights = classifier()
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    session = OnnxRuntime().load(build(tmp_path, model), subject(), nowhere)
    session.bind({"x": X})
    session.infer()
    assert np.allclose(session.outputs()["scores"], scores(weights, X), atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"this is no model, it is a sentence"])
def test_a_model_that_cannot_be_parsed_is_bad_input(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        build(tmp_path, content)


def test_an_operator_that_does_not_exist_is_refused_in_its_words(tmp_path: Path) -> None:
    model, _ = classifier()
    model.graph.node[0].op_type = "Perceive"
    with pytest.raises(BuildRefused, match="Perceive"):
        build(tmp_path, model)


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [tensor_spec(name="z")],
        [tensor_spec((2, 7))],
        [tensor_spec((6,))],
        [tensor_spec(dtype="float64")],
        [tensor_spec(), tensor_spec(name="z")],
    ],
)
def test_inputs_that_are_not_the_graphs_are_bad_input(tmp_path: Path, inputs: list[TensorSpec]) -> None:
    with pytest.raises(BadInput):
        build(tmp_path, classifier()[0], inputs)


def test_one_name_cannot_have_two_sizes(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "z"], ["y"])],
        "add",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in "xz"],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
    )
    with pytest.raises(BadInput, match="both 2 and 3"):
        build(tmp_path, as_model(graph), [tensor_spec((2,)), tensor_spec((3,), name="z")])


@pytest.mark.parametrize("bad", [X[:1], X.astype(np.float64), X.T])
def test_values_that_do_not_fit_are_refused_before_they_are_copied(tmp_path: Path, bad: np.ndarray) -> None:
    session = OnnxRuntime().load(build(tmp_path, classifier()[0]), subject(), nowhere)
    with pytest.raises(BadInput, match=r"float32\[2, 6\]"):
        session.bind({"x": bad})
    with pytest.raises(BadInput, match="no value for input x"):
        session.bind({})


def test_an_engine_of_another_version_is_refused(tmp_path: Path) -> None:
    engine = build(tmp_path, classifier()[0])
    old = subject()
    old.runtime_version = "1.0.0"
    with pytest.raises(BadInput, match=r"built by .* 1\.0\.0, this device runs"):
        OnnxRuntime().load(engine, old, nowhere)


def test_a_damaged_engine_is_a_device_fault(tmp_path: Path) -> None:
    (tmp_path / "engine").write_bytes(b"no engine at all")
    with pytest.raises(DeviceFault):
        OnnxRuntime().load(tmp_path / "engine", subject(), nowhere)


def test_a_dla_is_no_place_for_it(tmp_path: Path) -> None:
    elsewhere = subject()
    elsewhere.placement = "dla0"
    with pytest.raises(BadInput, match="dla0"):
        OnnxRuntime().load(tmp_path, elsewhere, nowhere)


def test_threads_come_from_the_option_then_the_environment_then_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETFLEET_THREADS", "3")
    assert session_options({"threads": "2"}).intra_op_num_threads == 2
    assert session_options({}).intra_op_num_threads == 3
    monkeypatch.delenv("JETFLEET_THREADS")
    assert session_options({}).intra_op_num_threads >= 1
    assert session_options({}).inter_op_num_threads == 1


@pytest.mark.parametrize("options", [{"threads": "0"}, {"threads": "many"}, {"spinning": "maybe"}, {"speed": "max"}])
def test_options_that_mean_nothing_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        session_options(options)


def test_the_configuration_is_described(tmp_path: Path) -> None:
    engine = build(tmp_path, classifier()[0], threads="1", spinning="off")
    described = OnnxRuntime().load(engine, subject(threads="1", spinning="off"), nowhere).describe()
    assert (described["intra_op_threads"], described["intra_op_spinning"]) == ("1", "0")
    assert described["providers"] == "CPUExecutionProvider"
    assert OnnxRuntime().version() == onnxruntime.__version__


def with_data_outside(folder: Path, size: int = 40) -> tuple[Path, onnx.ModelProto]:
    """y = x @ w + b, saved as exporters do: what is large beside the model, in a folder of its own."""
    random = np.random.default_rng(7)
    weights = {"w": random.standard_normal((6, size)).astype("f4"), "b": random.standard_normal(size).astype("f4")}
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name, width in (("x", 6), ("y", size))
    ]
    model = as_model(helper.make_graph(nodes, "outside", values[:1], values[1:], held))
    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save_model(
        onnx.ModelProto.FromString(model.SerializeToString()),
        str(path),
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
    )
    return path, model


@pytest.mark.parametrize("way", ["inside", "archive"])
def test_an_engine_of_a_model_with_data_outside_needs_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "archive":
        monkeypatch.setattr(engine_file, "LARGEST_EMBEDDED_BYTES", 0)
    path, model = with_data_outside(tmp_path / "model", size=400)
    inputs = [tensor_spec()]
    roles = {"model.onnx": ARTIFACT_ROLE_MODEL_FP32, "w.bin": ARTIFACT_ROLE_MODEL_DATA}
    task = BuildTask(
        engine_key="k", inputs=inputs, artifacts=[Artifact(role=role, name=name) for name, role in roles.items()]
    )
    OnnxRuntime().build(task, path.parent, tmp_path / "engine", nowhere, silent)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["engine", "model"]
    alone = tmp_path / "alone"
    alone.mkdir()
    (tmp_path / "engine").rename(alone / "engine")
    shutil.rmtree(path.parent)
    session = OnnxRuntime().load(alone / "engine", subject(), nowhere)
    session.bind({"x": X})
    session.infer()
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": X})
    assert np.allclose(session.outputs()["y"], wanted, atol=1e-5)
    session.close()
    assert [item.name for item in alone.iterdir()] == ["engine"]
    OnnxRuntime().inspect(alone / "engine", subject(), {"x": X}, tmp_path)


def test_a_model_whose_data_did_not_come_is_no_fault_of_the_device(tmp_path: Path) -> None:
    path, _ = with_data_outside(tmp_path / "model")
    (path.parent / "w.bin").unlink()
    with pytest.raises((BadInput, BuildRefused)):
        build(path.parent, path.read_bytes())


def test_an_empty_input(tmp_path: Path) -> None:
    """A cache of keys before the first token: one of its dimensions is 0."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", length, 6])
        for name, length in (("past", "P"), ("x", 1), ("y", "T"))
    ]
    graph = helper.make_graph(
        [helper.make_node("Concat", ["past", "x"], ["y"], axis=1)], "cache", values[:2], values[2:]
    )
    specs = [tensor_spec((2, 0, 6), name="past"), tensor_spec((2, 1, 6), name="x")]
    session = OnnxRuntime().load(build(tmp_path, as_model(graph), specs), subject(specs), nowhere)
    x = X.reshape(2, 1, 6)
    for _ in range(2):
        session.bind({"past": np.zeros((2, 0, 6), "f4"), "x": x})
        session.infer()
        assert np.array_equal(session.outputs()["y"], x)
