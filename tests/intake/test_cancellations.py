"""Differences of near numbers: right in true half, and no reason to keep an ordinary network in float32."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from controller.intake.lowering.ranges import seen_values
from tests.intake import networks
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.true_half import both

RANDOM = np.random.default_rng(8)


def near(size: float, *shape: int) -> Any:
    return (size + RANDOM.standard_normal(shape)).astype(np.float32)


def one_of_two(*nodes: onnx.NodeProto, **weights: Any) -> onnx.ModelProto:
    """An image, a layer that is ordinary, and one whose bias is large; then the nodes, from `c` to `y`."""
    layers = [NODE("Conv", ["x", "w"], ["a"]), NODE("Relu", ["a"], ["r"]), NODE("Conv", ["r", "v", "b"], ["c"])]
    held = {"w": floats(8, 3, 1, 1), "v": floats(8, 8, 1, 1) / 4, "b": near(300, 8), **weights}
    return model_of([*layers, *nodes], [value("x", ["N", 3, 12, 12])], [value("y", None)], **held)


def coordinates() -> onnx.ModelProto:
    nodes = [NODE("Identity", ["x"], ["i"]), NODE("Sub", ["i", "base"], ["d"]), NODE("Gemm", ["d", "w"], ["y"])]
    return model_of(nodes, [value("x", ["N", 3])], [value("y", ["N", 4])], base=near(1000, 3), w=floats(3, 4))


def distances() -> onnx.ModelProto:
    """|x|^2 - 2 x c + |c|^2 of codes near to one another."""
    codes = near(9, 16, 32)
    nodes = [
        NODE("Gemm", ["x", "w"], ["h"]),
        NODE("Add", ["h", "nine"], ["e"]),
        NODE("Pow", ["e", "two"], ["s"]),
        NODE("ReduceSum", ["s", "last"], ["xx"]),
        NODE("MatMul", ["e", "codes"], ["xc"]),
        NODE("Mul", ["xc", "minus"], ["m"]),
        NODE("Add", ["xx", "m"], ["p"]),
        NODE("Add", ["p", "cc"], ["y"]),
    ]
    weights = {"w": floats(8, 32) / 3, "nine": np.float32([9]), "two": np.float32([2]), "minus": np.float32([-2])}
    held = {**weights, "codes": codes.T.copy(), "cc": (codes**2).sum(1), "last": np.array([-1])}
    return model_of(nodes, [value("x", ["N", 8])], [value("y", ["N", 16])], **held)


def rows_less_their_mean() -> onnx.ModelProto:
    return one_of_two(NODE("GlobalAveragePool", ["c"], ["m"]), NODE("Sub", ["c", "m"], ["y"]))


def neighbours() -> onnx.ModelProto:
    numbers = {"one": 1, "zero": 0, "end": 99, "last": -1, "axis": 3}
    cuts = {name: np.array([number]) for name, number in numbers.items()}
    nodes = [
        NODE("Slice", ["c", "one", "end", "axis"], ["right"]),
        NODE("Slice", ["c", "zero", "last", "axis"], ["left"]),
        NODE("Neg", ["left"], ["n"]),
        NODE("Add", ["right", "n"], ["y"]),
    ]
    return one_of_two(*nodes, **cuts)


def normalised(op: str) -> onnx.ModelProto:
    scale = {"g": np.ones(8, np.float32), "o": np.zeros(8, np.float32)}
    if op == "LayerNormalization":
        scale = {"g": np.ones(12, np.float32)}
    if op == "BatchNormalization":
        scale |= {"mu": np.full(8, 300, np.float32), "va": np.ones(8, np.float32)}
    return one_of_two(NODE(op, ["c", *scale], ["y"]), **scale)


def softmax() -> onnx.ModelProto:
    return one_of_two(NODE("Softmax", ["c"], ["y"], axis=1))


IMAGE = {"x": floats(2, 3, 12, 12)}
PADDED = np.concatenate([near(1000, 40, 3), np.zeros((3, 3), np.float32)])
CANCELLING = {
    "coordinates": (coordinates(), {"x": near(1000, 40, 3)}),
    "padded coordinates": (coordinates(), {"x": PADDED}),
    "distances": (distances(), {"x": floats(20, 8)}),
    "rows less their mean": (rows_less_their_mean(), IMAGE),
    "neighbours": (neighbours(), IMAGE),
    "batch norm": (normalised("BatchNormalization"), IMAGE),
    "layer norm": (normalised("LayerNormalization"), IMAGE),
    "instance norm": (normalised("InstanceNormalization"), IMAGE),
    "softmax": (softmax(), IMAGE),
}


def cosine(got: Any, want: Any) -> float:
    got, want = got.astype(np.float64).ravel(), want.astype(np.float64).ravel()
    return float(got @ want / np.linalg.norm(got) / np.linalg.norm(want))


@pytest.mark.parametrize("name", CANCELLING)
def test_a_difference_of_near_numbers_is_right_in_half(name: str, tmp_path: Path) -> None:
    model, inputs = CANCELLING[name]
    made, (got,), (want,) = both(model, inputs, tmp_path)
    rows = slice(0, 40) if name == "padded coordinates" else slice(None)
    assert cosine(got[rows], want[rows]) > 0.99999
    assert np.abs(got[rows] - want[rows]).max() < 0.01 * np.abs(want[rows]).max()
    assert any("a difference" in reason for reason in made.kept.values())
    made.refuse_float32()


ORDINARY = ("residual", "mobile", "attention", "detector", "segmenter", "choices")


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_network_takes_no_difference_of_near_numbers(name: str, tmp_path: Path) -> None:
    model = getattr(networks, name)()
    onnx.save_model(model, str(tmp_path / "m.onnx"))
    assert seen_values(tmp_path / "m.onnx", networks.rows_for(model, 4)).differences == {}


def test_zeros_and_what_is_exact_are_no_reason(tmp_path: Path) -> None:
    """Nothing is left of a mask of ones, and of a constant image but what float32 rounds."""
    nodes = [NODE("Sub", ["one", "x"], ["m"]), NODE("ReduceMean", ["x"], ["a"]), NODE("Sub", ["x", "a"], ["y"])]
    model = model_of(nodes, [value("x", ["N", 7])], [value("m", ["N", 7]), value("y", ["N", 7])], one=np.float32([1]))
    onnx.save_model(model, str(tmp_path / "m.onnx"))
    assert seen_values(tmp_path / "m.onnx", {"x": np.ones((2, 7), np.float32)}).differences == {}


def test_a_network_that_is_mostly_differences_says_so_and_stays_half(tmp_path: Path) -> None:
    nodes, weights = [], {}
    for index in range(6):
        weights |= {f"w{index}": floats(8, 8) / 3, f"b{index}": near(300, 8)}
        nodes += [
            NODE("Gemm", ["x" if not index else f"y{index - 1}", f"w{index}", f"b{index}"], [f"c{index}"]),
            NODE("Sub", [f"c{index}", f"b{index}"], [f"y{index}"]),
        ]
    model = model_of(nodes, [value("x", ["N", 8])], [value("y5", ["N", 8])], **weights)
    made, _, _ = both(model, {"x": floats(4, 8)}, tmp_path)
    assert made.half_layers == 6
    assert made.kept == {}
    assert made.remarks() == [
        "6 of 6 layers lead to differences of near numbers, which half precision rounds: its answers may be wrong on a "
        "device"
    ]


def test_what_differs_is_part_of_what_decides_a_graph(tmp_path: Path) -> None:
    onnx.save_model(coordinates(), str(tmp_path / "m.onnx"))
    far = seen_values(tmp_path / "m.onnx", {"x": near(1000, 40, 3)})
    assert far.beyond_half() != seen_values(tmp_path / "m.onnx", {"x": near(0, 40, 3)}).beyond_half() == []
