"""Each way in which TensorRT is asked for what it cannot do, as whoever asked reads it on a board: every word."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.attempt import AttemptDir
from agent.runtime.base import refuse_other_version
from agent.runtime.tensorrt.runtime import TensorRt
from agent.work.main import Reporter, run
from jetfleet.errors import JetfleetError
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    FAILURE_KIND_BAD_INPUT,
    FAILURE_KIND_OUT_OF_MEMORY,
    PRECISION_FP16,
    PRECISION_INT8,
    Failure,
    Subject,
    TaskSpec,
    TensorSpec,
)
from tests.agent.builders import Blobs, bench_task, build_task, classifier, nowhere
from tests.agent.tensorrt.conftest import Desk
from tests.agent.tensorrt.fake import Board, FakeTensorRt
from tests.agent.tensorrt.fake_gpu import BoardCuda
from tests.agent.tensorrt.test_parser_errors import error

X = TensorSpec(name="x", dtype="float32", shape=[2, 3])
Make = Callable[..., Desk]


def told(desk: Desk, *, opset: int = 17, **fields: Any) -> str:
    """What is said of a build that is refused."""
    model = classifier()[0]
    model.opset_import[0].version = opset
    with pytest.raises(JetfleetError) as refused:
        desk.build(model.SerializeToString(), [X], **fields)
    return str(refused.value)


def told_of_load(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> str:
    """What is said of an engine that is not loaded."""
    engine = tmp_path / "it.engine"
    engine.write_bytes(b"a plan")
    monkeypatch.setattr("agent.runtime.tensorrt.runtime.Cuda.open", lambda wait: BoardCuda())
    subject = Subject(**{"variant_key": "v", "runtime": "tensorrt", "placement": "gpu", "inputs": [X], **fields})
    with pytest.raises(JetfleetError) as refused:
        TensorRt(FakeTensorRt(board)).load(engine, subject, nowhere)
    return str(refused.value)


def test_an_opset_that_is_too_new(make: Make) -> None:
    assert told(make(Board()), opset=99) == (
        "model.onnx: the graph's opset 99 is too new: TensorRT 10.3.0 documents operators up to opset 20\n"
        "  expected: opset 20 or older\n"
        "  fix: export the model with opset 20"
    )


def test_an_operator_that_is_not_supported(make: Make) -> None:
    whirl = error("UNSUPPORTED_NODE", "no importer registered", node=1, node_name="whirl_1", node_operator="Whirl")
    said = told(make(Board(parser_errors=[whirl])))
    parser = "model.onnx: TensorRT's parser refused the model: "
    assert said.startswith(f"{parser}node 1 'whirl_1' (Whirl): operator Whirl is not supported")


def test_a_shape_outside_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(inputs=[("x", (-1, 3))], profile=((1, 3), (2, 3), (4, 3)))
    spec = TensorSpec(name="x", dtype="float32", shape=[5, 3])
    assert told_of_load(board, tmp_path, monkeypatch, inputs=[spec]) == (
        "inputs: the shape [5, 3] of input 'x' is outside the engine's profile\n"
        "  expected: [1, 3] to [4, 3]\n"
        "  fix: give the input a range that holds this shape, and build again"
    )


def test_an_engine_of_another_tensorrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Version tag does not match. Note: Current Version: 213, Serialized Engine Version: 205"
    assert told_of_load(Board(plan_words=words), tmp_path, monkeypatch) == (
        f"it.engine: the engine was built by another TensorRT: {words}\n"
        "  expected: an engine of TensorRT 10.3.0\n"
        "  fix: build it again on this version: submit the job once more"
    )


def test_an_engine_of_another_tensorrt_by_its_record() -> None:
    with pytest.raises(JetfleetError) as refused:
        refuse_other_version(Subject(variant_key="v", runtime="tensorrt", runtime_version="8.6.2"), "10.3.0")
    assert str(refused.value) == (
        "v: the engine was built by tensorrt 8.6.2, this device runs 10.3.0\n"
        "  expected: an engine of tensorrt 10.3.0\n"
        "  fix: build it again on this version: submit the job once more"
    )


def test_an_engine_of_another_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "The engine plan file is generated on an incompatible device, expecting compute 8.7 got compute 8.6"
    assert told_of_load(Board(plan_words=words), tmp_path, monkeypatch) == (
        f"it.engine: the engine was built for another board: {words}\n"
        "  expected: an engine of this board's device class\n"
        "  fix: build it on this board: submit the job once more"
    )


def test_calibration_data_of_the_wrong_shape(make: Make) -> None:
    desk = make(Board(version=(8, 6, 2)))
    rows = desk.blobs.tensor(np.zeros((16, 4), np.float32), ARTIFACT_ROLE_CALIBRATION, "x")
    said = told(desk, precision=PRECISION_INT8, artifacts=[rows])
    where = "calibration: calibration data for 'x' is float32[16, 4]\n"
    assert said.startswith(f"{where}  expected: float32[samples, 3]")


def test_a_dla_on_a_board_without_one(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "placement: this board has no DLA\n"
        "  expected: a board with one: Orin NX, AGX Orin (not Orin Nano, not Thor)\n"
        "  fix: placement: gpu"
    )
    assert told(make(Board()), precision=PRECISION_FP16, placement="dla") == said
    assert told_of_load(Board(), tmp_path, monkeypatch, placement="dla0") == said


@pytest.mark.parametrize("version", [(10, 13, 3), (11, 4, 0)])
def test_a_dla_on_a_tensorrt_without_it(make: Make, version: tuple[int, ...]) -> None:
    desk = make(Board(version=version, dla_cores=2))
    assert told(desk, precision=PRECISION_FP16, placement="dla") == (
        f"placement: TensorRT {'.'.join(map(str, version))} has no DLA\n"
        "  expected: TensorRT up to 10.7 (JetPack 6), or 11.4.1 and later on AGX Orin\n"
        "  fix: placement: gpu"
    )


def test_int8_on_11_without_a_qdq_graph(make: Make) -> None:
    assert told(make(Board(version=(11, 4, 0))), precision=PRECISION_INT8) == (
        "precision: int8 in a strongly typed network (TensorRT 11.4.0) comes from a graph with Q/DQ pairs, and the "
        "task brings none\n"
        "  expected: a Q/DQ graph\n"
        "  fix: give the job calibration data: submit writes the Q/DQ graph from it"
    )


def failure(tmp_path: Path, board: Board, spec: TaskSpec, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> Failure:
    """What an attempt with this TensorRT ends as."""
    monkeypatch.setattr("agent.work.build.open_runtime", lambda name: TensorRt(FakeTensorRt(board)))
    monkeypatch.setattr("agent.work.bench.open_runtime", lambda name: TensorRt(FakeTensorRt(board)))
    monkeypatch.setattr("agent.runtime.tensorrt.runtime.open_cuda", BoardCuda)
    monkeypatch.setattr("agent.runtime.gpu.cuda.Cuda.open", lambda **_: BoardCuda())
    attempt = AttemptDir(tmp_path / "attempt")
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        (attempt.blobs / path.name).write_bytes(path.read_bytes())
    return run(attempt, Reporter(None)).failure


FIX = "\n  fix: a smaller batch or profile, a smaller workspace_mib, or less else that runs on the board"


def test_out_of_memory_while_building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Error Code 2: OutOfMemory (Requested size was 4294967296 bytes.)"
    board, blobs = Board(plan=None, says=[("ERROR", words)], inputs=[("x", (2, 6))]), Blobs(tmp_path / "store")
    spec = build_task(blobs, runtime="tensorrt", model=classifier()[0].SerializeToString())
    spec.build.placement = "gpu"
    found = failure(tmp_path, board, spec, blobs, monkeypatch)
    assert (found.kind, found.phase) == (FAILURE_KIND_OUT_OF_MEMORY, "build")
    assert found.message == f"TensorRT ran out of memory: {words}{FIX}"


def test_out_of_memory_while_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Error Code 1: Cuda Runtime (out of memory)"
    board, blobs = Board(plan_words=words, inputs=[("x", (2, 6))]), Blobs(tmp_path / "store")
    spec = bench_task(blobs, runtime="tensorrt")
    spec.bench.subjects[0].placement = "gpu"
    found = failure(tmp_path, board, spec, blobs, monkeypatch)
    assert (found.kind, found.phase) == (FAILURE_KIND_OUT_OF_MEMORY, "load")
    assert found.message == f"there is no memory to load the engine: {words}{FIX}"


def test_a_refusal_reaches_the_controller_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs(tmp_path / "store")
    spec = build_task(blobs, runtime="tensorrt", model=classifier()[0].SerializeToString())
    spec.build.placement, spec.build.precision = "dla", PRECISION_FP16
    found = failure(tmp_path, Board(version=(10, 13, 3)), spec, blobs, monkeypatch)
    assert found.kind == FAILURE_KIND_BAD_INPUT
    assert found.message.splitlines()[-1] == "  fix: placement: gpu"
