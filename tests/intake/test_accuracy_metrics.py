"""Metrics of accuracy that a job asks for: what labels each takes, and which output it is about."""

from typing import Any

import numpy as np
import pytest

from controller.model.job import AccuracyMetric, Role
from tests.intake.conftest import Workplace
from tests.intake.images import image_network

IMAGES = np.random.default_rng(0).random((6, 3, 8, 8), dtype=np.float32)


def job(place: Workplace, metrics: str, labels: Any, *, outputs: int = 1, more: str = "") -> str:
    place.model(image_network(outputs=outputs))
    place.write("own.py", "def iou(outputs, labels):\n    return 1.0\n")
    np.savez(place.folder / "eval.npz", image=IMAGES, labels=np.asarray(labels))
    return f"model: {{onnx: m.onnx, data: {{evaluation: eval.npz, metrics: {metrics}{more}}}}}\n"


@pytest.mark.parametrize(
    ("metrics", "labels", "wanted", "output"),
    [
        ("[top1]", np.zeros(6, int), ["accuracy"], "scores"),
        ("[top1, top5]", np.zeros(6, int), ["accuracy", "accuracy_top5"], "scores"),
        ("[mae]", np.zeros((6, 5), np.float32), ["mean_abs_error"], "scores"),
        ("[{iou: own.py:iou}]", np.zeros((6, 7, 4)), ["iou"], ""),
        ("[mae, {score: own.py:iou}]", np.zeros((6, 5)), ["mean_abs_error", "score"], "scores"),
    ],
)
def test_each_metric_has_labels_of_its_own(
    place: Workplace, metrics: str, labels: Any, wanted: list[str], output: str
) -> None:
    (variant,) = place.prepare(job(place, metrics, labels)).spec.variants
    assert [item.name for item in variant.accuracy_metrics] == wanted
    assert variant.accuracy_output == output
    assert bool(variant.callables) == ("own.py" in metrics)
    assert any(item.role is Role.EVALUATION_LABELS for item in variant.artifacts)


def test_without_a_word_it_is_top_1(place: Workplace) -> None:
    text = job(place, "[top1]", np.zeros(6, int)).replace(", metrics: [top1]", "")
    (variant,) = place.prepare(text).spec.variants
    assert variant.accuracy_metrics == (AccuracyMetric("accuracy"),)


@pytest.mark.parametrize(
    ("metrics", "labels", "outputs", "message"),
    [
        ("[mae]", np.zeros((6, 4)), 1, "has no 4 numbers for each of 1 row"),
        ("[mae]", np.zeros((6, 5)), 2, "the labels fit 2 outputs"),
        ("[top5]", np.zeros((6, 5)), 1, "labels is float64 [6, 5]"),
        ("[top1, mae]", np.zeros(6, int), 1, "has no 1 number for each of 1 row"),
        ("[{iou: own.py:iou, score: own.py:iou}]", np.zeros(6), 1, "2 measures in one mapping"),
        ("[{iou: other.py:iou}]", np.zeros(6), 1, "other.py does not exist"),
        ("[{iou: own.py}]", np.zeros(6), 1, "is not allowed here"),
        ("[top1, top1]", np.zeros(6, int), 1, "listed twice"),
        ("[f1]", np.zeros(6, int), 1, "is not allowed here"),
    ],
)
def test_what_does_not_fit_is_refused(place: Workplace, metrics: str, labels: Any, outputs: int, message: str) -> None:
    error = place.refused(job(place, metrics, labels, outputs=outputs))
    assert message in error.message
    assert "job.yaml:" in error.where


def test_the_named_output_decides_where_labels_fit_several(place: Workplace) -> None:
    text = job(place, "[mae]", np.zeros((6, 5)), outputs=2, more=", output: scores1")
    (variant,) = place.prepare(text).spec.variants
    assert variant.accuracy_output == "scores1"


def test_metrics_of_nothing_are_refused(place: Workplace) -> None:
    place.model(image_network())
    error = place.refused("model: {onnx: m.onnx, data: {metrics: [top1]}}\n")
    assert "metrics belongs to evaluation, and there is none" in error.message
