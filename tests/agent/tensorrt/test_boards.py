"""What differs from board to board, and from what a board's TensorRT documents: limits, types, a start that fails."""

from typing import Any

import numpy as np
import pytest

from agent.runtime.base import BuildRefused, DeviceFault
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    ARTIFACT_ROLE_MODEL_QDQ,
    LOWERING_BUILDER_FLAGS,
    PRECISION_FP16,
    PRECISION_INT8,
    TensorSpec,
)
from tests.agent.tensorrt.fake import Board
from tests.agent.tensorrt.test_dla import PLACED
from tests.agent.tensorrt.test_versions import MODEL, X

IDS = TensorSpec(name="x", dtype="int64", shape=[2, 3])


def test_a_builder_that_is_not_made_says_why(make: Any) -> None:
    """The bindings raise a TypeError of pybind11's then; TensorRT told its logger why."""
    board = Board(dead="CUDA initialization failure with error: 999")
    with pytest.raises(DeviceFault, match="TensorRT does not start: CUDA initialization failure") as refused:
        make(board).build(MODEL, [X])
    assert "agent doctor" in refused.value.hint
    with pytest.raises(MemoryError, match="does not start: Error Code 1: Cuda Runtime"):
        make(Board(dead="Error Code 1: Cuda Runtime (out of memory)")).build(MODEL, [X])


def test_a_limit_that_tensorrt_does_not_take_is_a_warning(make: Any) -> None:
    """It leaves the pool as it was, and builds: a job would not know."""
    board = Board(pool_bounds={"WORKSPACE": 256 << 20})
    told = make(board).build(MODEL, [X], workspace_mib="512", tactic_dram_mib="256").built
    assert list(told.warnings) == ["TensorRT does not take 536870912 bytes for WORKSPACE: it stays at 1048576"]


def test_a_limit_that_was_refused_is_not_why_the_build_failed(make: Any) -> None:
    board = Board(pool_bounds={"WORKSPACE": 256 << 20}, plan=None)
    with pytest.raises(BuildRefused, match="TensorRT built no engine: TensorRT gave no reason"):
        make(board).build(MODEL, [X], workspace_mib="512", tactic_dram_mib="256")


def test_a_board_that_ran_out_of_memory_is_told_what_to_free(make: Any) -> None:
    board = Board(says=[("ERROR", "NvMapMemAllocInternalTagged: error 12")], plan=None)
    with pytest.raises(MemoryError, match=r"error 12; host and GPU share their memory, of which \d+ MiB are free"):
        make(board, integrated=True).build(MODEL, [X])


def test_token_ids_of_int64_are_built_where_the_parser_reads_int32(make: Any) -> None:
    assert make(Board(version=(8, 6, 2), input_type="INT32")).build(MODEL, [IDS]).files
    with pytest.raises(BadInput, match="'x' is given as int64") as refused:
        make(Board(version=(10, 3, 0), input_type="INT32")).build(MODEL, [IDS])
    assert refused.value.expected == "int32"


def test_token_ids_are_calibrated_with_in_the_type_of_the_device(make: Any) -> None:
    board = Board(version=(8, 6, 2), input_type="INT32")
    desk = make(board)
    given = desk.blobs.tensor(np.arange(12, dtype=np.int64).reshape(4, 3), ARTIFACT_ROLE_CALIBRATION, "x")
    desk.build(MODEL, [IDS], precision=PRECISION_INT8, lowering=LOWERING_BUILDER_FLAGS, artifacts=[given])
    seen = [array.reshape(-1).view(np.int32).tolist() for (array,) in board.calibrated]
    assert seen == [list(range(6)), list(range(6, 12))]


def test_full_placement_is_refused_if_a_layer_is_moved_while_it_is_built(make: Any) -> None:
    """Each may fit a DLA alone: a core takes 16 regions at once, and what is beyond goes to the GPU."""
    layers = [("conv1", "CONVOLUTION", True), ("norm1", "NORMALIZATION", True), ("conv2", "CONVOLUTION", True)]
    board = Board(dla_cores=2, layers=layers, says=PLACED)
    with pytest.raises(BuildRefused, match=r"1 of 3 layers do not run on the DLA: norm1 \(NORMALIZATION\)"):
        make(board).build(MODEL, [X], precision=PRECISION_FP16, placement="dla", dla_require="full")


def test_an_inspector_that_fails_costs_no_engine(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a name of a layer")

    monkeypatch.setattr("tests.agent.tensorrt.fake_runtime.FakeInspector.get_engine_information", fail)
    desk = make(Board())
    told = desk.build(MODEL, [X]).built
    assert desk.out.read_bytes() == b"a plan"
    assert any("was not inspected" in warning for warning in told.warnings)


def test_a_graph_with_qdq_that_is_refused_may_be_calibrated_instead(make: Any) -> None:
    refused_by = Board(version=(10, 16, 2), plan=None, says=[("ERROR", "Myelin: dequantize: type inference failed")])
    with pytest.raises(BuildRefused, match="Myelin") as refused:
        make(refused_by).build(MODEL, [X], role=ARTIFACT_ROLE_MODEL_QDQ, precision=PRECISION_INT8)
    assert "lowering: flags" in refused.value.hint
    with pytest.raises(BuildRefused) as later:
        make(Board(version=(11, 4, 1), plan=None)).build(
            MODEL, [X], role=ARTIFACT_ROLE_MODEL_QDQ, precision=PRECISION_INT8
        )
    assert later.value.hint == ""
