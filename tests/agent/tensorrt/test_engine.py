"""Engines loaded, run and looked into, with a made-up TensorRT on a fake GPU: shapes, faults, what is let go."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.runtime.base import DeviceFault, LayerTime
from agent.runtime.tensorrt.runtime import TensorRt
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_LAYERS, Subject, TensorSpec
from tests.agent.builders import nowhere
from tests.agent.tensorrt.fake import Board, FakeTensorRt
from tests.agent.tensorrt.fake_gpu import BoardCuda

ONES = np.ones((2, 3), np.float32)


def subject(shape: "tuple[int, ...]" = (2, 3), *, placement: str = "gpu", **fields: Any) -> Subject:
    inputs = fields.pop("inputs", [TensorSpec(name="x", dtype="float32", shape=shape)])
    return Subject(variant_key="v", runtime="tensorrt", placement=placement, inputs=inputs, **fields)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def loaded(board: Board, asked: Subject, *, integrated: bool = False, plan: bytes = b"a plan") -> Any:
        board.cuda = BoardCuda(integrated=integrated, coherent=integrated)
        monkeypatch.setattr("agent.runtime.tensorrt.runtime.Cuda.open", lambda wait: board.cuda)
        engine = tmp_path / "it.engine"
        engine.write_bytes(plan)
        return TensorRt(FakeTensorRt(board)).load(engine, asked, nowhere)

    return loaded


@pytest.mark.parametrize("version", [(8, 6, 2), (10, 3, 0), (11, 4, 1)])
@pytest.mark.parametrize("integrated", [False, True])
def test_an_engine_runs_between_events(version: tuple[int, ...], integrated: bool, load: Callable[..., Any]) -> None:
    board = Board(version=version)
    session = load(board, subject(), integrated=integrated)
    session.bind({"x": ONES})
    session.prepare(3)
    for _ in range(3):
        session.infer()
    assert session.outputs()["y"].tolist() == (2 * ONES).tolist()
    collected = session.collect()
    assert collected.stages_ms["compute"].tolist() == [1.0] * 3
    described = session.describe()
    assert described["tensorrt"] == ".".join(map(str, version))
    assert described["device_memory_bytes"] == ("2048" if version[0] == 8 else "4096")
    session.close()
    assert board.cuda is not None
    assert board.cuda.log[-1] == "context closed"


def test_a_shape_outside_the_profile_is_bad_input(load: Callable[..., Any]) -> None:
    board = Board(inputs=[("x", (-1, 3))], profile=((1, 3), (2, 3), (4, 3)))
    load(board, subject((4, 3))).close()
    with pytest.raises(BadInput) as refused:
        load(board, subject((5, 3)))
    assert refused.value.message == "the shape [5, 3] of input 'x' is outside the engine's profile"
    assert refused.value.expected == "[1, 3] to [4, 3]"
    assert board.cuda is not None
    assert board.cuda.log == ["context closed"]


@pytest.mark.parametrize(
    ("inputs", "words", "expected"),
    [
        ([TensorSpec(name="z", dtype="float32", shape=[2, 3])], r"gives inputs \['z'\]", "['x']"),
        ([TensorSpec(name="x", dtype="float16", shape=[2, 3])], r"given as float16\[2, 3\]", "float32[2, 3]"),
        ([TensorSpec(name="x", dtype="float32", shape=[2, 3, 1])], r"given as float32\[2, 3, 1\]", "float32[2, 3]"),
        ([TensorSpec(name="x", dtype="float32", shape=[3, 3])], r"the shape \[3, 3\]", "[2, 3] to [2, 3]"),
    ],
)
def test_inputs_that_are_not_the_engines_are_bad_input(
    inputs: list[TensorSpec], words: str, expected: str, load: Callable[..., Any]
) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        load(Board(), subject(inputs=inputs))
    assert refused.value.expected == expected


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (
            "Error Code 1: Serialization (Serialization assertion stdVersionRead == serializationVersion failed."
            "Version tag does not match. Note: Current Version: 213, Serialized Engine Version: 205)",
            BadInput,
            "the engine was built by another TensorRT: .*Serialized Engine Version: 205",
        ),
        (
            "The engine plan file is generated on an incompatible device, expecting compute 8.7 got compute 8.6",
            BadInput,
            "the engine was built for another board: .*expecting compute 8.7",
        ),
        (
            "Serialization assertion magicTagRead == kMAGIC_TAG failed.Magic tag does not match",
            BadInput,
            "not a TensorRT engine",
        ),
        ("Error Code 1: Cuda Runtime (out of memory)", MemoryError, "no memory to load the engine"),
        ("Error Code 1: Cuda Runtime (cudaError 35: CUDA driver version is insufficient)", DeviceFault, "did not load"),
    ],
)
def test_a_plan_that_does_not_load_says_why(
    words: str, kind: type[Exception], message: str, load: Callable[..., Any]
) -> None:
    with pytest.raises(kind, match=message):
        load(Board(plan_words=words), subject())


def test_an_empty_plan_is_none(load: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match="it is empty"):
        load(Board(), subject(), plan=b"")


def test_what_tensorrt_warns_of_is_on_record(load: Callable[..., Any]) -> None:
    """An engine of another module with the same compute capability loads, and may be slow."""
    warning = "Using an engine plan file across different models of devices is not recommended"
    session = load(Board(load_warning=warning), subject())
    assert session.describe()["warnings"] == warning
    session.close()


def test_an_engine_of_another_version_is_refused_by_its_record(load: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match=r"built by tensorrt 8\.6\.2, this device runs 10\.3\.0"):
        load(Board(), subject(runtime_version="8.6.2"))


@pytest.mark.parametrize(
    ("refuses", "kind", "words"),
    [
        ("create_execution_context", MemoryError, "makes no execution context: Requested amount of GPU memory"),
        ("set_input_shape", DeviceFault, r"does not take the shape \[2, 3\] of input 'x': set_input_shape was told"),
        ("infer_shapes", DeviceFault, "does not know the shape of x"),
        ("shape inference", DeviceFault, r"does not follow the shapes \(a shape was told to fail\)"),
        ("set_tensor_address", DeviceFault, "does not take the address of 'x'"),
        ("output shape", BadInput, r"tensor 'y' has the shape \[-1, 3\]: it depends on the data"),
    ],
)
def test_a_false_answer_is_an_error_with_tensorrts_words(
    refuses: str, kind: type[Exception], words: str, load: Callable[..., Any]
) -> None:
    board = Board(refuses=refuses)
    with pytest.raises(kind, match=words):
        load(board, subject())
    assert board.cuda is not None
    assert board.cuda.log[-1] == "context closed"


def test_a_runtime_that_is_not_made_says_why(load: Callable[..., Any]) -> None:
    with pytest.raises(DeviceFault, match="TensorRT does not start: CUDA initialization failure with error: 35"):
        load(board := Board(dead="CUDA initialization failure with error: 35"), subject())
    assert board.cuda is not None
    assert board.cuda.log[-1] == "context closed"


IDS = [TensorSpec(name="x", dtype="int64", shape=[2, 3])]


def test_int64_is_narrowed_where_tensorrt_has_none(load: Callable[..., Any]) -> None:
    session = load(Board(version=(8, 6, 2), input_type="INT32"), subject(inputs=IDS))
    session.bind({"x": np.full((2, 3), 30522, np.int64)})
    session.infer()
    assert session.outputs()["y"].tolist() == [[61044] * 3] * 2
    with pytest.raises(BadInput, match="holds values that the engine's int32 cannot"):
        session.bind({"x": np.full((2, 3), 1 << 40, np.int64)})
    with pytest.raises(BadInput, match=r"'x' is int32\[2, 3\]") as refused:
        session.bind({"x": np.zeros((2, 3), np.int32)})
    assert refused.value.expected == "int64[2, 3]"
    session.close()


def test_int64_is_never_narrowed_where_tensorrt_has_it(load: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match=r"given as int64\[2, 3\]"):
        load(Board(version=(10, 3, 0), input_type="INT32"), subject(inputs=IDS))


def test_an_inference_that_fails_says_so(load: Callable[..., Any]) -> None:
    for graph in ("auto", "off"):  # the first inference is that before a capture
        session = load(Board(refuses="execute_async_v3"), subject(options={"cuda_graph": graph}))
        with pytest.raises(DeviceFault, match="did not run the engine: execute_async_v3 was told to fail"):
            run_once(session)
        session.close()


def run_once(session: Any) -> None:
    session.bind({"x": ONES})
    session.infer()


def test_an_engine_with_bfloat16_at_its_edges_is_refused_in_words(load: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match="tensor 'x' is BF16, in which nothing is given to a model"):
        load(Board(input_type="BF16"), subject())


def test_a_dla_core_is_chosen_before_the_engine_is_loaded(load: Callable[..., Any]) -> None:
    board = Board(dla_cores=2)
    load(board, subject(placement="dla1", options={"version_compatible": "on"})).close()
    assert (board.runtimes[0].DLA_core, board.runtimes[0].engine_host_code_allowed) == (1, True)
    load(board, subject()).close()
    assert (board.runtimes[1].DLA_core, board.runtimes[1].engine_host_code_allowed) == (-1, False)


@pytest.mark.parametrize(("cores", "words"), [(0, "this board has no DLA"), (1, "this board has no dla1")])
def test_a_dla_that_is_not_there_is_bad_input(cores: int, words: str, load: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match=words):
        load(Board(dla_cores=cores), subject(placement="dla1"))


def test_placements_and_options_that_do_not_exist_are_bad_input(load: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match="does not run on 'cpu'"):
        load(Board(), subject(placement="cpu"))
    with pytest.raises(BadInput, match="no option spinning"):
        load(Board(), subject(options={"spinning": "on"}))
    load(Board(), subject(options={"wait": "spin", "cuda_graph": "on", "sparsity": "on"})).close()


LAYERS = json.dumps(
    {"Layers": [{"Name": "conv", "LayerType": "CaskConvolution"}, {"Name": "{ForeignNode[fc]}", "LayerType": "DLA"}]}
)


def test_an_engine_is_looked_into_in_a_session_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[..., Any]
) -> None:
    board = Board(dla_cores=1, layers_json=LAYERS)
    load(board, subject(placement="dla0")).close()
    engine, runtime = tmp_path / "it.engine", TensorRt(FakeTensorRt(board))
    asked = subject(placement="dla0", options={"cuda_graph": "on"})
    found = runtime.inspect(engine, asked, {"x": ONES}, tmp_path)
    assert found.layers == (LayerTime("conv", 0.25), LayerTime("{ForeignNode[fc]}", 0.75))
    assert found.runs == 10
    assert found.dla_time_share == 0.75
    assert [kernel.op for kernel in found.kernels] == ["CaskConvolution", "DLA"]
    (file,) = found.files
    assert (file.role, file.name, file.path.read_text()) == (ARTIFACT_ROLE_LAYERS, "layers.json", LAYERS)
    assert board.cuda is not None
    assert "capture" not in board.cuda.log
    assert board.cuda.log[-1] == "context closed"
    assert asked.options["cuda_graph"] == "on"  # the caller's own is left as it was
