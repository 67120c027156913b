"""The same task on made-up TensorRTs of each line: what is set on 8.6, 10.3, 10.16 and 11.4, and what is not there."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from agent.runtime.base import BuildRefused, DeviceFault
from agent.runtime.tensorrt.lean import refuse_without_lean
from agent.runtime.tensorrt.runtime import TensorRt
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    ARTIFACT_ROLE_CALIBRATION_CACHE,
    ARTIFACT_ROLE_LAYERS,
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_QDQ,
    ARTIFACT_ROLE_TIMING_CACHE,
    LOWERING_BUILDER_FLAGS,
    PRECISION_FP16,
    PRECISION_INT8,
    PRECISION_TF32,
    ShapeRange,
    TensorSpec,
)
from tests.agent.builders import classifier
from tests.agent.tensorrt.fake import Board
from tests.agent.tensorrt.fake_gpu import BoardCuda

MODEL = classifier()[0].SerializeToString()
X = TensorSpec(name="x", dtype="float32", shape=[2, 3])
LINES = [(8, 6, 2), (10, 3, 0), (10, 13, 3), (10, 16, 2), (11, 4, 1)]


@pytest.mark.parametrize("version", LINES)
def test_fp32_is_fp32_everywhere(version: tuple[int, ...], make: Any) -> None:
    board = Board(version=version)
    desk = make(board)
    made = desk.build(MODEL, [X])
    assert desk.out.read_bytes() == b"a plan"
    assert "TF32" not in board.flags
    assert "FP16" not in board.flags
    # 8.x: explicit batch; 10.x: strongly typed, by its place in that version; 11.x: always both.
    assert board.creation_flags == {8: 1, 10: 2, 11: 0}[version[0]]
    assert made.built.device_memory_bytes == (2048 if version < (10, 1) else 4096)
    assert [runtime.beside_a_builder for runtime in board.runtimes] == [False]  # small boards have no room for both
    assert {file.name for file in made.files} == {"layers.json", "timing.cache"}


def test_tf32_is_asked_for(make: Any) -> None:
    board = Board()
    make(board).build(MODEL, [X], precision=PRECISION_TF32)
    assert "TF32" in board.flags


def test_8_6_reports_no_progress_of_its_own(make: Any) -> None:
    board = Board(version=(8, 6, 1))
    desk = make(board)
    desk.build(MODEL, [X])
    assert desk.phases == ["parsing model.onnx"]
    assert not hasattr(board.config, "progress_monitor")


@pytest.mark.parametrize("version", [(8, 6, 1), (10, 3, 0), (10, 16, 2)])
def test_flags_make_fp16_of_the_fp32_graph(version: tuple[int, ...], make: Any) -> None:
    board = Board(version=version)
    make(board).build(MODEL, [X], precision=PRECISION_FP16, lowering=LOWERING_BUILDER_FLAGS)
    assert "FP16" in board.flags
    assert "INT8" not in board.flags
    assert board.creation_flags == (1 if version[0] == 8 else 0)  # not strongly typed


@pytest.mark.parametrize("version", [(10, 3, 0), (11, 4, 1)])
def test_a_typed_graph_takes_no_flags(version: tuple[int, ...], make: Any) -> None:
    board = Board(version=version)
    desk = make(board)
    desk.build(MODEL, [X], role=ARTIFACT_ROLE_MODEL_FP16, precision=PRECISION_FP16)
    desk.build(MODEL, [X], role=ARTIFACT_ROLE_MODEL_QDQ, precision=PRECISION_INT8)
    assert board.flags == set()


def test_a_qdq_graph_on_8_6_needs_the_int8_flag(make: Any) -> None:
    board = Board(version=(8, 6, 1))
    make(board).build(MODEL, [X], role=ARTIFACT_ROLE_MODEL_QDQ, precision=PRECISION_INT8)
    assert board.flags == {"INT8", "FP16"}
    assert not hasattr(board.config, "int8_calibrator")


@pytest.mark.parametrize(("version", "warned"), [((10, 3, 0), False), ((10, 16, 2), True), ((11, 4, 1), False)])
def test_a_release_that_fails_on_qdq_graphs_is_warned_of_before_the_build(
    version: tuple[int, ...], warned: bool, make: Any
) -> None:
    """The made-up GPU is an Orin, where 10.16.2 does."""
    made = make(Board(version=version)).build(MODEL, [X], role=ARTIFACT_ROLE_MODEL_QDQ, precision=PRECISION_INT8)
    assert any("is known to fail on Q/DQ graphs on this GPU" in text for text in made.built.warnings) is warned


def test_calibration_data_reaches_the_calibrator_batch_by_batch(make: Any) -> None:
    board = Board(inputs=[("x", (-1, 3))])
    desk = make(board)
    samples = np.arange(15, dtype=np.float32).reshape(5, 3)
    given = desk.blobs.tensor(samples, ARTIFACT_ROLE_CALIBRATION, "x")
    ranged = TensorSpec(name="x", dtype="float32", shape=[2, 3], range=ShapeRange(min=[1, 3], opt=[2, 3], max=[4, 3]))
    made = desk.build(MODEL, [ranged], precision=PRECISION_INT8, lowering=LOWERING_BUILDER_FLAGS, artifacts=[given])
    assert board.flags == {"INT8", "FP16"}
    seen = [batch[0].view(np.float32).reshape(2, 3).tolist() for batch in board.calibrated]
    assert seen == [samples[:2].tolist(), samples[2:4].tolist()]  # the fifth fills no batch
    assert board.profiles[0].shapes["x"] == ((1, 3), (2, 3), (4, 3))
    cache = next(file for file in made.files if file.role == ARTIFACT_ROLE_CALIBRATION_CACHE)
    assert cache.path.read_bytes().startswith(b"TRT-EntropyCalibration2")


def test_what_breaks_in_the_calibrator_fails_the_build(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT itself would go on with the ranges of fewer samples."""
    board = Board()
    desk = make(board)
    given = desk.blobs.tensor(np.zeros((4, 3), np.float32), ARTIFACT_ROLE_CALIBRATION, "x")

    def fail(*_: object) -> None:
        raise DeviceFault("the copy failed")

    monkeypatch.setattr(BoardCuda, "copy_in", fail)
    with pytest.raises(DeviceFault, match="the copy failed"):
        desk.build(MODEL, [X], precision=PRECISION_INT8, lowering=LOWERING_BUILDER_FLAGS, artifacts=[given])


def test_calibration_needs_a_gpu(make: Any) -> None:
    desk = make(Board(), gpu=False)
    given = desk.blobs.tensor(np.zeros((4, 3), np.float32), ARTIFACT_ROLE_CALIBRATION, "x")
    with pytest.raises(DeviceFault, match="runs on the GPU"):
        desk.build(MODEL, [X], precision=PRECISION_INT8, lowering=LOWERING_BUILDER_FLAGS, artifacts=[given])


def test_an_option_that_came_later_is_bad_input(make: Any) -> None:
    with pytest.raises(BadInput, match=r"TensorRT 10\.3\.0 does not know same_compute_capability"):
        make(Board()).build(MODEL, [X], hardware_compatibility="same_compute_capability")
    board = Board(version=(10, 13, 3))
    make(board).build(MODEL, [X], hardware_compatibility="same_compute_capability")
    assert board.config.hardware_compatibility_level.name == "SAME_COMPUTE_CAPABILITY"


def test_every_option_is_set(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.tensorrt.lean._loads", lambda library: library == "libnvinfer_lean.so.10")
    board = Board()
    make(board).build(
        MODEL,
        [X],
        builder_optimization_level="5",
        avg_timing_iterations="3",
        max_aux_streams="0",
        workspace_mib="512",
        tactic_dram_mib="256",
        sparsity="on",
        refit="on",
        version_compatible="on",
        hardware_compatibility="ampere_plus",
        profiling_verbosity="none",
    )
    config = board.config
    assert (config.builder_optimization_level, config.avg_timing_iterations, config.max_aux_streams) == (5, 3, 0)
    assert board.pools == {"WORKSPACE": 512 << 20, "TACTIC_DRAM": 256 << 20}
    assert board.flags == {"SPARSE_WEIGHTS", "REFIT", "VERSION_COMPATIBLE"}
    assert (config.hardware_compatibility_level.name, config.profiling_verbosity.name) == ("AMPERE_PLUS", "NONE")
    assert board.runtimes[-1].engine_host_code_allowed  # or its own engine would not load


@pytest.mark.parametrize(("version", "package"), [((8, 6, 2), 8), ((10, 3, 0), 10), ((11, 4, 1), 11)])
def test_a_version_compatible_engine_needs_the_lean_runtime(
    version: tuple[int, ...], package: int, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.runtime.tensorrt.lean._loads", lambda library: False)
    board = Board(version=version)
    with pytest.raises(BadInput, match=rf"there is no libnvinfer_lean\.so\.{package} here") as refused:
        make(board).build(MODEL, [X], version_compatible="on")
    assert refused.value.hint.startswith(f"sudo apt-get install libnvinfer-lean{package}")
    assert board.network is None  # before anything is parsed


def test_the_lean_runtime_may_lie_beside_tensorrt(tmp_path: Path) -> None:
    """As in a wheel, whose folder the loader does not search."""
    maps = tmp_path / "maps"
    maps.write_text(f"7f00-7f01 r-xp 00000000 08:01 42   {tmp_path}/libnvinfer.so.10\n7f02-7f03 rw-p 0 0 0\n")
    with pytest.raises(BadInput, match="lean runtime"):
        refuse_without_lean((10, 3, 0), maps=maps)
    (tmp_path / "libnvinfer_lean.so.10").touch()
    refuse_without_lean((10, 3, 0), maps=maps)
    with pytest.raises(BadInput, match="lean runtime"):
        refuse_without_lean((10, 3, 0), maps=tmp_path / "none")


@pytest.mark.parametrize("edge", [{"input_type": "BF16"}, {"output_type": "BF16"}])
def test_bfloat16_at_the_edges_is_refused_in_words(edge: dict[str, str], make: Any) -> None:
    with pytest.raises(BadInput, match=r"tensor '\w' is BF16, in which nothing is given") as refused:
        make(Board(**edge)).build(MODEL, [X])
    assert "float32 in, float32 out" in refused.value.hint


def test_memory_is_limited_only_where_the_host_needs_it_too(make: Any) -> None:
    board = Board()
    make(board).build(MODEL, [X])
    assert board.pools == {}
    board = Board()
    made = make(board, integrated=True).build(MODEL, [X])
    assert 64 << 20 <= board.pools["WORKSPACE"] <= board.pools["TACTIC_DRAM"]
    assert made.built.HasField("peak_device_bytes")


def test_skipped_tactics_are_counted_and_warnings_kept_once(make: Any) -> None:
    skipped = "Skipping tactic 3 due to insufficient memory on requested size of 123 detected for tactic 0x1."
    board = Board(
        says=[("WARNING", skipped), ("WARNING", skipped), ("WARNING", "weights are small"), ("INFO", "hello")]
    )
    told = make(board).build(MODEL, [X]).built
    assert told.tactics_skipped == 2
    assert list(told.warnings) == [skipped, "weights are small"]


def test_none_carries_the_words_of_logger_and_recorder(make: Any) -> None:
    board = Board(plan=None, says=[("ERROR", "Could not build engine")], records=["conv1: no kernel for this shape"])
    with pytest.raises(BuildRefused) as refused:
        make(board).build(MODEL, [X])
    assert refused.value.message == "TensorRT built no engine: conv1: no kernel for this shape; Could not build engine"


@pytest.mark.parametrize(
    "words",
    [
        "Error Code 1: OutOfMemory (no further information)",
        "Requested amount of GPU memory (8589934592 bytes) could not be allocated.",
        "NvMapMemAllocInternalTagged: 1075072515 error 12",
        "Error Code 6: std::bad_alloc",
    ],
)
def test_tensorrts_words_for_no_memory_are_a_memory_error(words: str, make: Any) -> None:
    with pytest.raises(MemoryError, match="ran out of memory"):
        make(Board(plan=None, says=[("ERROR", words)])).build(MODEL, [X])


def test_an_engine_that_does_not_load_back_is_a_warning(make: Any) -> None:
    made = make(Board(plan_words="magicTag does not match", says=[("INFO", "Total Activation Memory: 1024")])).build(
        MODEL, [X]
    )
    assert any("was not inspected" in warning for warning in made.built.warnings)
    assert ARTIFACT_ROLE_LAYERS not in [file.role for file in made.files]
    assert made.built.device_memory_bytes == 1024  # from the log


def test_the_layers_are_kept_as_the_inspector_tells_them(make: Any) -> None:
    made = make(Board()).build(MODEL, [X])
    layers = next(file for file in made.files if file.role == ARTIFACT_ROLE_LAYERS)
    assert layers.path.read_text() == '{"Layers": ["a layer"]}'
    assert ARTIFACT_ROLE_TIMING_CACHE in [file.role for file in made.files]


def test_a_tensorrt_that_is_too_old_is_bad_input(make: Any) -> None:
    with pytest.raises(BadInput, match=r"TensorRT 8\.5\.2 is not supported") as refused:
        make(Board(version=(8, 5, 2))).build(MODEL, [X])
    assert refused.value.hint == "upgrade the board to JetPack 6 or 7"


def test_a_module_that_is_no_tensorrt_is_none() -> None:
    with pytest.raises(ImportError, match="is not TensorRT"):
        TensorRt(ModuleType("tensorrt"))
