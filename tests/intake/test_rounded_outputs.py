"""Outputs of bytes: an image falls either way where it is rounded, a label or a mask does not."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from controller.intake.graph.rounded_outputs import rounded_outputs
from controller.model.job import Precision
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value


def image_network(kind: int = TensorProto.UINT8) -> onnx.ModelProto:
    """A restored image, as bytes: a convolution, scaled, clipped, rounded."""
    nodes = [
        NODE("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        NODE("Sigmoid", ["c"], ["s"]),
        NODE("Mul", ["s", "full"], ["m"]),
        NODE("Round", ["m"], ["r"]),
        NODE("Clip", ["r", "low", "full"], ["k"]),
        NODE("Cast", ["k"], ["b"], to=kind),
        NODE("Transpose", ["b"], ["image"], perm=[0, 2, 3, 1]),
    ]
    return model_of(
        nodes,
        [value("x", ["N", 3, 24, 24])],
        [value("image", ["N", 24, 24, 3], kind)],
        w=floats(3, 3, 3, 3),
        full=np.float32([255])[0],
        low=np.float32([0])[0],
    )


def label_network(*, by_mask: bool = False) -> onnx.ModelProto:
    """A class map of 40 classes as bytes, through floats; or a mask of 0 and 255."""
    nodes = [NODE("Conv", ["x", "w"], ["c"])]
    if by_mask:
        nodes += [NODE("Greater", ["c", "zero"], ["k"]), NODE("Cast", ["k"], ["f"], to=TensorProto.FLOAT)]
    else:
        nodes += [NODE("ArgMax", ["c"], ["k"], axis=1), NODE("Cast", ["k"], ["f"], to=TensorProto.FLOAT)]
    nodes += [NODE("Mul", ["f", "scale"], ["m"]), NODE("Cast", ["m"], ["labels"], to=TensorProto.UINT8)]
    scale = 255 if by_mask else 1
    return model_of(
        nodes,
        [value("x", ["N", 3, 24, 24])],
        [value("labels", ["N", 40 if by_mask else 1, 24, 24], TensorProto.UINT8)],
        w=floats(40, 3, 1, 1),
        zero=np.float32(0),
        scale=np.float32(scale),
    )


def many(name: str) -> dict[str, np.ndarray]:
    return {name: np.arange(64, dtype=np.uint8)}


@pytest.mark.parametrize(
    ("model", "answer", "found"),
    [
        (image_network(), many("image"), ("image",)),
        (image_network(TensorProto.UINT16), many("image"), ("image",)),
        (image_network(TensorProto.INT64), many("image"), ()),
        (image_network(), {"image": np.array([0, 1, 1], np.uint8)}, ()),  # a mask by its values
        (label_network(), many("labels"), ()),
        (label_network(by_mask=True), many("labels"), ()),
    ],
)
def test_what_the_graph_rounds_is_known(model: onnx.ModelProto, answer: dict[str, np.ndarray], found: object) -> None:
    assert rounded_outputs(model.graph, answer) == found


def test_an_image_passes_in_half_and_a_job_may_say_otherwise(place: Workplace) -> None:
    place.model(image_network())
    job = "model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16]}"
    prepared = place.prepare(job)
    for variant in prepared.spec.variants:
        assert variant.refusal == ""
        assert variant.check.outputs["image"].tolerance == 1
        assert variant.check.outputs["image"].min_agreement == (1 if variant.precision is Precision.FP32 else 0.95)
    assert any("may be off by one: image" in line for line in place.progress)
    exact = place.prepare(f"{job}\ncheck: {{tolerance: 0, min_agreement: 0.1}}")
    assert all("image" not in variant.check.outputs for variant in exact.spec.variants)


def test_labels_stay_exact(place: Workplace) -> None:
    place.model(label_network())
    prepared = place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16]}")
    assert all(not variant.check.outputs for variant in prepared.spec.variants)
