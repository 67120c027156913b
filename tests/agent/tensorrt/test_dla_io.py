"""A DLA without the GPU, on made-up boards: its formats at the edges of the network, and values as before."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from agent.runtime.tensorrt.runtime import TensorRt
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    ARTIFACT_ROLE_MODEL_FP16,
    PRECISION_FP16,
    PRECISION_INT8,
    Subject,
    TensorSpec,
)
from tests.agent.tensorrt.fake import Board, FakeTensorRt
from tests.agent.tensorrt.fake_gpu import BoardCuda
from tests.agent.tensorrt.test_dla import orin
from tests.agent.tensorrt.test_versions import MODEL

SHAPE = (1, 3, 4, 5)
IMAGE = TensorSpec(name="x", dtype="float32", shape=SHAPE)
HALVES = TensorSpec(name="x", dtype="float16", shape=SHAPE)
ALONE = {"precision": PRECISION_FP16, "placement": "dla", "gpu_fallback": "off"}


def image(**options: Any) -> Board:
    return orin(inputs=[("x", SHAPE)], layers=[("conv1", "CONVOLUTION", True)], says=[], **options)


@pytest.mark.parametrize("version", [(8, 6, 2), (10, 3, 0), (10, 7, 0)])
def test_inputs_and_outputs_are_in_the_dlas_own_formats(version: tuple[int, ...], make: Any) -> None:
    board = image(version=version)
    desk = make(board)
    desk.build(MODEL, [IMAGE], **ALONE)
    assert board.flags == {"FP16", "DIRECT_IO"}  # and no GPU_FALLBACK
    formats = desk.runtime.trt.TensorFormat
    wanted = 1 << int(formats.CHW16) | 1 << int(formats.DLA_LINEAR)
    for tensor in (board.network.get_input(0), board.network.get_output(0)):
        assert (tensor.dtype.name, tensor.allowed_formats) == ("HALF", wanted)


def test_with_the_gpu_they_stay_as_they_are(make: Any) -> None:
    board = image()
    make(board).build(MODEL, [IMAGE], precision=PRECISION_FP16, placement="dla")
    assert "DIRECT_IO" not in board.flags
    assert (board.network.get_input(0).dtype.name, board.network.get_input(0).allowed_formats) == ("FLOAT", 0)


@pytest.mark.parametrize("form", ["CHW16", "DLA_LINEAR"])
def test_values_are_converted_on_the_host(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = image(form=form, input_type="HALF")
    x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(SHAPE)
    got, nbytes = run(board, IMAGE, x, tmp_path, monkeypatch)
    assert got.dtype == np.float32
    assert np.array_equal(got, (2 * x.astype(np.float16)).astype(np.float32))
    # 3 channels make one vector of 16; rows of 5 are 64 bytes long.
    assert nbytes == {"CHW16": 4 * 5 * 16 * 2, "DLA_LINEAR": 3 * 4 * 64}[form]


def test_halves_stay_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.ones(SHAPE, np.float16)
    got, _ = run(image(form="CHW16", input_type="HALF"), HALVES, x, tmp_path, monkeypatch)
    assert got.dtype == np.float16


def test_longer_rows_than_documented_are_the_engines_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = image(form="DLA_LINEAR", input_type="HALF", strides=(3 * 4 * 128, 4 * 128, 128, 1))
    _, nbytes = run(board, IMAGE, np.ones(SHAPE, np.float32), tmp_path, monkeypatch)
    assert nbytes == 3 * 4 * 128 * 2


@pytest.mark.parametrize("odd", [{"form": "HWC8"}, {"form": "CHW16", "strides": (10**6, 1, 1, 1)}])
def test_a_format_that_is_not_known_is_refused(
    odd: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="lies in memory as a format like"):
        run(image(input_type="HALF", **odd), IMAGE, np.ones(SHAPE, np.float32), tmp_path, monkeypatch)


def test_a_value_that_half_precision_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="holds values that the engine's float16 cannot"):
        run(image(form="CHW16", input_type="HALF"), IMAGE, np.full(SHAPE, 1e6, np.float32), tmp_path, monkeypatch)


def test_int8_by_flags_is_refused_with_the_reason(make: Any) -> None:
    desk = make(image())
    given = desk.blobs.tensor(np.ones((4, *SHAPE[1:]), np.float32), ARTIFACT_ROLE_CALIBRATION, "x")
    with pytest.raises(BadInput, match="int8 inputs and outputs need scales") as refused:
        desk.build(MODEL, [IMAGE], **{**ALONE, "precision": PRECISION_INT8}, artifacts=[given])
    assert refused.value.where == "options.gpu_fallback"


def test_a_strongly_typed_network_needs_halves_at_its_edges(make: Any) -> None:
    typed = {**ALONE, "role": ARTIFACT_ROLE_MODEL_FP16}
    with pytest.raises(BadInput, match="input 'x' is float32, and the cast to half precision"):
        make(image(version=(11, 4, 1))).build(MODEL, [IMAGE], **typed)
    board = image(version=(11, 4, 1), input_type="HALF", output_type="HALF")
    make(board).build(MODEL, [HALVES], **typed)
    assert board.flags == {"DIRECT_IO"}


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"output_shape": (1, 10)}, "output 'y' has 2 dimensions"),
        ({"output_type": "INT32"}, "inputs and outputs are float32, int32"),
        ({"output_type": "HALF"}, "inputs and outputs are float16, float32"),
    ],
)
def test_what_has_no_form_on_a_dla_is_refused(odd: dict[str, Any], words: str, make: Any) -> None:
    with pytest.raises(BadInput, match=words):
        make(image(**odd)).build(MODEL, [IMAGE], **ALONE)


def test_a_cuda_graph_of_a_dla_is_refused(tmp_path: Path) -> None:
    subject = Subject(placement="dla0", inputs=[IMAGE], runtime_version="10.3.0", options={"cuda_graph": "on"})
    with pytest.raises(BadInput, match="nobody documents that it records a DLA"):
        TensorRt(FakeTensorRt(image())).load(tmp_path / "engine", subject, lambda _: tmp_path)


def run(board: Board, spec: TensorSpec, x: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    """What an engine on a DLA answers, and the size of its input in memory."""
    board.cuda = BoardCuda()
    monkeypatch.setattr("agent.runtime.gpu.cuda.Cuda.open", lambda **_: board.cuda)
    engine = folder / "engine"
    engine.write_bytes(board.plan or b"")
    trt: ModuleType = FakeTensorRt(board)
    subject = Subject(placement="dla0", inputs=[spec], runtime_version="10.3.0", options={"gpu_fallback": "off"})
    session = TensorRt(trt).load(engine, subject, lambda _: folder)
    try:
        session.bind({"x": x})
        session.infer()
        return session.outputs()["y"], session._engine.inputs[0].nbytes
    finally:
        session.close()
