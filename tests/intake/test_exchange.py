"""What crosses between the command's process and the model child arrives as it was sent."""

from pathlib import Path

import pytest

from controller.intake.exchange import (
    LoweringRequest,
    ModelAnswer,
    ModelFile,
    ModelRequest,
    RefusedGraph,
    read_answer,
    read_request,
    write_answer,
    write_request,
)
from controller.intake.jobfile.inputs import Input, InputRequest, RunSize
from controller.intake.jobfile.model_error import ModelError
from controller.intake.model_report import Agreement, ModelReport, Port
from controller.model.job import CheckRule, OutputCheck, Precision, Role

INT8_CHECK = OutputCheck(CheckRule.COSINE, min_cosine=0.99, max_norm_error=0.1)
REQUEST = ModelRequest(
    folder="/job",
    torch="net:make",
    onnx="",
    args={"width": 3, "names": ["a", None], "nested": {"x": 0.5}},
    inputs={"x": InputRequest(("batch", 3, 8), "float32", None, ((2, "seq"),)), "y": InputRequest()},
    evaluation="",
    accuracy_output="",
    calibration="c.npz",
    lower=(
        LoweringRequest(
            Precision.INT8,
            ("variants", "precision", 1),
            INT8_CHECK,
            base=Precision.FP32,
        ),
    ),
    batches=((1, ("variants", "batch", 0)), (8, ("variants", "include", 0, "batch"))),
    own_batch=False,
    seed=7,
    opset=18,
    exporter="dynamo",
    export_cache="/cache/exports",
    lowering_cache="/cache/lowered",
    out="/out",
    memory_bytes=1 << 33,
    dims=((("seq", 64),), (("seq", 128),)),
    float32_steps=("variants", "precision", 0),
)
REPORT = ModelReport(
    inputs=(Port("x", "float32", ("N", None, 8)),),
    outputs=(Port("y", "float32", ("N", 3)),),
    opset=18,
    size_bytes=12,
    reference="PyTorch",
    exporter="dynamo",
    cached=False,
    agreements=(Agreement(1, 1e-6, "y"),),
    files=("/out/model.onnx",),
)
ANSWERS = [
    ModelAnswer((Input("x", "float32", ("batch", 4), "normal", ((1, "seq"),)),), 1, (), report=REPORT),
    ModelAnswer(
        (),
        4,
        (
            ModelFile(Role.MODEL_QDQ, "model-qdq.onnx", "/m", precision=Precision.INT8, base=Precision.FP16),
            ModelFile(Role.REFERENCE_INPUT, "é", "/i", size=RunSize(8, (("seq", 64),))),
        ),
        refused=(RefusedGraph(Precision.FP16, Precision.FP16, "too far"),),
    ),
]


def test_a_request(tmp_path: Path) -> None:
    write_request(tmp_path / "request.json", REQUEST)
    assert read_request(tmp_path / "request.json") == REQUEST


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer(tmp_path: Path, answer: ModelAnswer) -> None:
    write_answer(tmp_path / "answer.json", answer)
    assert read_answer(tmp_path / "answer.json") == answer


def test_an_error(tmp_path: Path) -> None:
    sent = ModelError("wrong", steps=("model", "inputs", "x", 0), where="net.py:3", expected="right", hint="a\nb")
    write_answer(tmp_path / "answer.json", sent)
    with pytest.raises(ModelError) as caught:
        read_answer(tmp_path / "answer.json")
    assert vars(caught.value) == vars(sent)
