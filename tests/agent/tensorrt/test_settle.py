"""What the questions to TensorRT say with made-up TensorRTs of each line: what is built, and how a refusal is told."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.doctor.check import CheckContext, read_context
from agent.doctor.settle.child import ask
from agent.doctor.settle.questions import QUESTIONS
from agent.doctor.settle.tensorrt import _build
from agent.runtime.tensorrt.runtime import TensorRtRtx
from jetfleet.v1.task_pb2 import PRECISION_FP16, PRECISION_FP32, PRECISION_INT8
from testing.boards.jetson import jetson
from tests.agent.tensorrt.fake import Board
from tests.agent.tensorrt.fake_gpu import BoardCuda

SHAPE = (1, 8, 16, 16)
LAYERS = [("conv", "CONVOLUTION", True), ("relu", "ACTIVATION", True)]


@dataclass
class Asking:
    board: Board
    context: CheckContext

    def __call__(self, name: str) -> tuple[bool, str]:
        return ask(QUESTIONS[name], self.context)


@pytest.fixture
def asking(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(module: str = "orin-nx-16gb", *, capture_fails: str = "", **board: Any) -> Asking:
        told = Board(inputs=[("x", SHAPE)], layers=LAYERS, **board)
        runtime = make(told, integrated=True).runtime
        told.cuda = BoardCuda(integrated=True, capture_fails=capture_fails)
        monkeypatch.setattr("agent.runtime.tensorrt.runtime.Cuda.open", lambda wait="spin": told.cuda)
        monkeypatch.setattr("agent.doctor.settle.tensorrt.open_runtime", lambda _: runtime)
        shutil.rmtree(tmp_path / "board", ignore_errors=True)
        root = jetson(module, "6.2").write(tmp_path / "board")
        return Asking(told, read_context(root, env={}, state_dir=root))

    return made


@pytest.mark.parametrize("version", [(8, 6, 2), (10, 3, 0), (10, 16, 2), (11, 4, 1)])
def test_a_graph_with_qdq_is_built_on_every_line(asking: Any, version: tuple[int, ...]) -> None:
    told, text = asking(version=version)("Q/DQ build")
    assert (told, text.startswith("built, 6 bytes in ")) == (True, True)


def test_a_build_that_fails_is_an_answer(asking: Any) -> None:
    words = [("ERROR", "Error Code 10: Internal Error (Could not find any implementation for node x)")]
    told, text = asking(version=(10, 16, 2), plan=None, says=words)("Q/DQ build")
    assert told is True
    assert text.startswith("refused: ")
    assert "Could not find any implementation" in text


def test_a_dla_is_tried_with_and_without_the_gpu(asking: Any) -> None:
    here = asking(version=(10, 3, 0), dla_cores=2)
    assert here("DLA alone")[0] is True
    assert "GPU_FALLBACK" not in here.board.flags
    here = asking(version=(10, 3, 0), dla_cores=2)
    told, text = here("DLA")
    assert (told, "2 on the DLA, 0 on the GPU" in text) == (True, True), text
    assert {"GPU_FALLBACK", "FP16"} <= here.board.flags


def test_a_tensorrt_without_a_dla_says_so(asking: Any) -> None:
    told, text = asking(version=(10, 16, 2))("DLA")
    assert (told, "has no DLA" in text) == (True, True)


def test_a_module_without_a_dla_is_not_asked(asking: Any) -> None:
    here = asking("orin-nano-8gb", version=(10, 3, 0))
    for name in ("DLA", "DLA alone", "DLA in a CUDA graph"):
        assert here(name) == (False, "this module has no DLA")


def test_what_the_inspector_calls_a_dlas_layers(asking: Any) -> None:
    layers = '{"Layers": [{"Name": "{ForeignNode[a...b]}", "LayerType": "DLA", "Inputs": [], "Outputs": []}]}'
    told, text = asking(version=(10, 3, 0), dla_cores=2, layers_json=layers)("DLA in a CUDA graph")
    assert told is True, text
    assert "layer types DLA" in text
    assert "CUDA graph" in text


@pytest.mark.parametrize("fails", ["", "operation not permitted when stream is capturing"])
def test_whether_a_dla_can_be_captured_is_asked_of_the_board_and_not_of_our_own_refusal(
    asking: Any, fails: str
) -> None:
    told, text = asking(version=(10, 3, 0), dla_cores=2, capture_fails=fails)("DLA in a CUDA graph")
    assert (told, "nobody documents" in text) == (True, False), text
    end = f"off, it cannot be captured: {fails}" if fails else "on"
    assert text.endswith(f"CUDA graph: {end}"), text


def test_a_dla_alone_is_tried_where_types_come_from_the_graph(asking: Any) -> None:
    """With half precision at the edges, for the cast would be the GPU's, and the job is refused for it."""
    here = asking("agx-orin-64gb", version=(11, 4, 1), dla_cores=2, input_type="HALF", output_type="HALF")
    told, text = here("DLA alone")
    assert told is True
    assert text.startswith("built, "), text


def test_portable_engines_are_tried(asking: Any) -> None:
    for name in ("version compatible", "hardware compatible"):
        told, text = asking(version=(10, 3, 0))(name)
        assert (told, text.startswith(("built", "refused"))) == (True, True), text


def test_without_tensorrt_nothing_is_asked(tmp_path: Path) -> None:
    root = jetson("orin-nx-16gb", "6.2").write(tmp_path)
    told, text = ask(QUESTIONS["Q/DQ build"], read_context(root, env={}, state_dir=root))
    assert (told, "tensorrt does not import here" in text) == (False, True)


def test_the_networks_are_built_by_a_real_tensorrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By TensorRT for RTX, which builds without a GPU: fp32, fp16 with casts at its edges, and Q/DQ."""
    runtime = TensorRtRtx()
    monkeypatch.setattr("agent.doctor.settle.tensorrt.open_runtime", lambda _: runtime)
    for precision in (PRECISION_FP32, PRECISION_FP16, PRECISION_INT8):
        assert _build(tmp_path, "gpu", precision, {})[1].startswith("built, ")
