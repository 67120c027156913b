"""Detectors whose rows a TopK or a NonMaxSuppression chooses: half precision turns near ties around, and no more."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from controller.intake.graph.set_outputs import chosen_outputs
from controller.model.job import OutputSet, Precision
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value

ANCHORS, KEPT = 6000, 300


def detector() -> onnx.ModelProto:
    """The best boxes of an image by score; scores that half precision cannot tell apart."""
    nodes = [
        NODE("MatMul", ["x", "to_scores"], ["raw"]),
        NODE("Mul", ["raw", "narrow"], ["close"]),
        NODE("Add", ["close", "half"], ["all_scores"]),
        NODE("TopK", ["all_scores", "k"], ["scores", "best"], axis=1, name="choice"),
        NODE("Gather", ["table", "best"], ["boxes"], axis=0),
        NODE("Cast", ["best"], ["labels"], to=TensorProto.INT64),
    ]
    return model_of(
        nodes,
        [value("x", ["N", 16])],
        [value("scores", ["N", KEPT]), value("boxes", ["N", KEPT, 4]), value("labels", ["N", KEPT], TensorProto.INT64)],
        to_scores=floats(16, ANCHORS),
        narrow=np.float32([0.02]),
        half=np.float32([0.5]),
        k=np.array([KEPT]),
        table=np.abs(floats(ANCHORS, 4)) * np.float32(300),
    )


def test_the_node_that_chooses_is_found() -> None:
    assert chosen_outputs(detector().graph) == {"TopK 'choice'": ("scores", "boxes", "labels")}
    plain = model_of([NODE("Relu", ["x"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 4])])
    assert chosen_outputs(plain.graph) == {}


def test_rows_in_another_order_are_the_same_answer(place: Workplace) -> None:
    onnx.save_model(detector(), str(place.folder / "m.onnx"))
    prepared = place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16]}")
    by_precision = {variant.precision: variant for variant in prepared.spec.variants}
    assert by_precision[Precision.FP16].refusal == ""
    names = ("scores", "boxes", "labels")
    assert by_precision[Precision.FP16].check.sets == (OutputSet(names, 0.95),)
    assert by_precision[Precision.FP32].check.sets == (OutputSet(names, 1.0),)
    line = "fp16: rows of scores, boxes, labels are matched in any order: TopK 'choice' chooses them"
    assert line in place.progress


@pytest.mark.parametrize("check", ["{sets: [[scores, boxes, labels]]}", "{outputs: {labels: {rule: off}}}"])
def test_what_the_job_says_is_not_changed(place: Workplace, check: str) -> None:
    onnx.save_model(detector(), str(place.folder / "m.onnx"))
    prepared = place.prepare(f"model: {{onnx: m.onnx}}\ncheck: {check}\nvariants: {{precision: [fp32, fp16]}}")
    assert not any("are matched in any order" in line for line in place.progress)
    assert len(prepared.spec.variants[0].check.sets) == ("sets" in check)
