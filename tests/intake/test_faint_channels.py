"""A channel of a weight of which half precision leaves little is named where the outputs are refused."""

import numpy as np
import pytest

from controller.intake.lowering.faint_channels import faint_channels
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value


def faint(size: float, *shape: int) -> np.ndarray:
    found = floats(*shape)
    found[2] *= size
    return found


def test_a_refusal_names_the_channel(place: Workplace) -> None:
    gain = np.ones((8, 1, 1), np.float32)
    gain[2] = 1e7
    nodes = [NODE("Conv", ["x", "w"], ["c"]), NODE("Mul", ["c", "gain"], ["y"])]
    place.model(model_of(nodes, [value("x", ["N", 3, 8, 8])], [value("y", None)], w=faint(2e-8, 8, 3, 3, 3), gain=gain))
    prepared = place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16]}")
    _, refusal = (item.refusal for item in prepared.spec.variants)
    assert "half precision leaves little or nothing of channel 2 of 'w' (reaches " in refusal


@pytest.mark.parametrize(
    ("node", "weight"),
    [
        (NODE("Conv", ["x", "w"], ["y"]), faint(1e-8, 8, 3, 3, 3)),
        (NODE("ConvTranspose", ["x", "w"], ["y"]), faint(1e-8, 8, 3, 3, 3).transpose(1, 0, 2, 3)),
        (NODE("MatMul", ["x", "w"], ["y"]), faint(1e-8, 8, 5).T),
        (NODE("Gemm", ["x", "w"], ["y"]), faint(1e-8, 8, 5).T),
        (NODE("Gemm", ["x", "w"], ["y"], transB=1), faint(1e-8, 8, 5)),
    ],
)
def test_channels_are_those_of_the_output(node: object, weight: np.ndarray) -> None:
    graph = model_of([node], [value("x", None)], [value("y", None)], w=np.ascontiguousarray(weight)).graph
    assert faint_channels(graph).startswith("channel 2 of 'w' (reaches ")


@pytest.mark.parametrize("size", [0, 1e-3])
def test_what_is_zero_or_large_enough_is_not_told(size: float) -> None:
    node = NODE("Conv", ["x", "w"], ["y"])
    assert (
        faint_channels(model_of([node], [value("x", None)], [value("y", None)], w=faint(size, 8, 3, 3, 3)).graph) == ""
    )
