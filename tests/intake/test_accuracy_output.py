"""Which output the accuracy is taken from: named by the job, or the only one that can hold it, and never a guess."""

from typing import Any

import numpy as np
import pytest

from controller.intake.graph.accuracy_output import find_accuracy_output
from controller.intake.jobfile.model_error import ModelError
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, save, value

BATCH = 4
LABELS = np.array([0, 9, 3, 3])
EMBEDDING, SCORES = np.zeros((BATCH, 64), np.float32), np.zeros((BATCH, 10), np.float32)
LABEL, BOXES = np.zeros(BATCH, np.int64), np.zeros((BATCH, 24, 400), np.float32)


def find(named: str = "", *, labels: Any = LABELS, batch: int = BATCH, **outputs: Any) -> str:
    return find_accuracy_output(outputs, labels, batch=batch, named=named)


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        ({"logits": SCORES}, "logits"),
        ({"boxes": BOXES, "logits": SCORES}, "logits"),
        ({"label": LABEL, "boxes": BOXES}, "label"),
        ({"four": SCORES[:, :4], "logits": SCORES}, "logits"),  # of four classes, none is 9
        ({"logits": SCORES.reshape(BATCH, 10, 1, 1), "boxes": BOXES}, "logits"),
    ],
)
def test_the_only_one_that_can(outputs: dict[str, Any], wanted: str) -> None:
    assert find(**outputs) == wanted


def test_a_single_row() -> None:
    assert find(batch=1, logits=SCORES[:1], boxes=BOXES[:1]) == "logits"
    assert find(batch=1, logits=SCORES[0], boxes=BOXES[:1]) == "logits"


def test_the_named_one() -> None:
    assert find("logits", embedding=EMBEDDING, logits=SCORES) == "logits"
    assert find("embedding", embedding=EMBEDDING, logits=SCORES) == "embedding"


@pytest.mark.parametrize(
    ("named", "outputs", "message"),
    [
        ("", {"embedding": EMBEDDING, "logits": SCORES}, "any of 2 outputs: embedding, logits"),
        ("", {"logits": SCORES, "label": LABEL}, "any of 2 outputs: logits, label"),
        ("", {"boxes": BOXES, "mask": BOXES}, "no output holds scores or labels"),
        ("", {"boxes": BOXES}, "holds no scores of 4 rows"),
        ("", {"four": SCORES[:, :4]}, "labels reach 9, and output four float32[4, 4] has the classes 0 to 3"),
        ("four", {"four": SCORES[:, :4], "logits": SCORES}, "labels reach 9"),
        ("logit", {"logits": SCORES, "boxes": BOXES}, "the model has no output 'logit'"),
    ],
)
def test_refused(named: str, outputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        find(named, **outputs)
    assert message in caught.value.message


def two_heads() -> Any:
    return model_of(
        [NODE("MatMul", ["x", "we"], ["embedding"]), NODE("MatMul", ["embedding", "wl"], ["logits"])],
        [value("x", ["N", 4])],
        [value("embedding", ["N", 6]), value("logits", ["N", 3])],
        we=floats(4, 6),
        wl=floats(6, 3),
    )


JOB = "model:\n  onnx: m.onnx\n  data: {{evaluation: c.npz{}}}\n"


def test_two_outputs_that_could_be_it_are_a_question(place: Workplace) -> None:
    save(place, two_heads(), x=floats(9, 4), labels=np.arange(9) % 3)
    error = place.refused(JOB.format(""))
    assert "embedding" in error.expected
    assert "logits" in error.expected
    assert "output: logits" in error.hint
    prepared = place.prepare(JOB.format(", output: logits"))
    assert {variant.accuracy_output for variant in prepared.spec.variants} == {"logits"}
    refused = place.refused(JOB.format(", output: logit"))
    assert refused.where == "job.yaml:5:37"


def test_labels_that_no_class_has(place: Workplace) -> None:
    save(place, two_heads(), x=floats(3, 4), labels=np.array([0, 1, 3]))
    assert "labels reach 3" in place.refused(JOB.format(", output: logits")).message
    save(place, two_heads(), x=floats(3, 4), labels=np.array([0, 1, -1]))
    assert "labels reach down to -1" in place.refused(JOB.format(", output: logits")).message


def test_an_output_of_no_evaluation_is_refused(place: Workplace) -> None:
    save(place, two_heads())
    assert "evaluation" in place.refused("model:\n  onnx: m.onnx\n  data: {output: logits}\n").message
