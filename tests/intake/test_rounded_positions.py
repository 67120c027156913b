"""Positions that are floats until they are rounded: right in half precision, or refused with the node."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.true_half import SCALAR, both, kept

ROWS = 4000
INT64 = TensorProto.INT64


def looked_up(position: Sequence[onnx.NodeProto], *, more: Sequence[str] = (), **weights: Any) -> onnx.ModelProto:
    """From `p` [N] a row of a table by `i`, which the nodes make, and a layer behind it."""
    nodes = [*position, NODE("Gather", ["table", "i"], ["row"]), NODE("MatMul", ["row", "w"], ["y"])]
    outputs = [value("y", ["N", 4]), value("i", ["N"], INT64), *(value(name, ["N"]) for name in more)]
    return model_of(nodes, [value("p", ["N"])], outputs, table=floats(ROWS, 8), w=floats(8, 4), **weights)


POSITIONS: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "cast": ([NODE("Neg", ["p"], ["n"]), NODE("Neg", ["n"], ["m"]), NODE("Cast", ["m"], ["i"], to=INT64)], {}),
    "cast like another": (
        [NODE("Neg", ["p"], ["n"]), NODE("Neg", ["n"], ["m"]), NODE("CastLike", ["m", "k"], ["i"])],
        {"k": np.int64([0])},
    ),
    "scaled and floored": (
        [
            NODE("Mul", ["p", "third"], ["q"]),
            NODE("Floor", ["q"], ["f"]),
            NODE("Mul", ["f", "three"], ["g"]),
            NODE("Cast", ["g"], ["i"], to=INT64),
        ],
        {"third": SCALAR(1 / 3), "three": SCALAR(3)},
    ),
    "rounded": (
        [
            NODE("Add", ["p", "some"], ["q"]),
            NODE("Round", ["q"], ["f"]),
            NODE("Cast", ["f"], ["j"], to=TensorProto.INT32),
            NODE("Clip", ["j", "low", "high"], ["k"]),
            NODE("Cast", ["k"], ["i"], to=INT64),
        ],
        {"some": SCALAR(0.3), "low": np.int32(0), "high": np.int32(ROWS - 1)},
    ),
    "behind an activation": (
        [
            NODE("Div", ["p", "size"], ["q"]),
            NODE("Sigmoid", ["q"], ["s"]),
            NODE("Mul", ["s", "size"], ["r"]),
            NODE("Cast", ["r"], ["i"], to=INT64),
        ],
        {"size": SCALAR(ROWS - 1)},
    ),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_an_index_made_of_floats_chooses_the_same_row(tmp_path: Path, name: str) -> None:
    nodes, weights = POSITIONS[name]
    inputs = {"p": np.linspace(0, ROWS - 1, 1777, dtype=np.float32)}
    made, got, want = both(looked_up(nodes, **weights), inputs, tmp_path)
    assert np.array_equal(got[1], want[1])
    assert np.allclose(got[0], want[0], atol=5e-2)
    assert not kept(made, "MatMul")


@pytest.mark.parametrize("op", ["Floor", "Ceil", "Round"])
def test_rounding_that_is_no_index_is_right_too(tmp_path: Path, op: str) -> None:
    nodes = [
        NODE("MatMul", ["x", "w"], ["a"]),
        NODE("Mul", ["p", "half"], ["q"]),
        NODE(op, ["q"], ["f"]),
        NODE("Sub", ["q", "f"], ["rest"]),
        NODE("Mul", ["a", "rest"], ["y"]),
    ]
    model = model_of(
        nodes,
        [value("x", ["N", 4]), value("p", ["N", 1])],
        [value("y", ["N", 4]), value("f", ["N", 1])],
        w=floats(4, 4),
        half=SCALAR([0.511]),
    )
    positions = np.arange(0, 5000, 7, dtype=np.float32)[:, None]
    made, got, want = both(model, {"x": floats(len(positions), 4), "p": positions}, tmp_path)
    assert np.array_equal(got[1], want[1])
    assert np.allclose(got[0], want[0], atol=2e-2)
    assert not kept(made, "MatMul")


def test_a_remainder_is_a_position(tmp_path: Path) -> None:
    nodes = [NODE("Mul", ["p", "some"], ["q"]), NODE("Mod", ["q", "size"], ["r"], fmod=1), NODE("Neg", ["r"], ["y"])]
    weights = {"some": SCALAR([1.511]), "size": SCALAR([10])}
    model = model_of(nodes, [value("p", ["N"])], [value("y", ["N"])], **weights)
    _, (got,), (want,) = both(model, {"p": np.arange(0, 5000, 7, dtype=np.float32)}, tmp_path)
    assert np.allclose(got, want, atol=1e-2)


def network(layers: int) -> onnx.ModelProto:
    """A layer that computes the index, and others that read the row."""
    nodes = [
        NODE("MatMul", ["x", "position"], ["p"], name="regress"),
        NODE("Cast", ["p"], ["i"], to=INT64, name="to_index"),
        NODE("Gather", ["table", "i"], ["r0"]),
        *(NODE("MatMul", [f"r{index}", "w"], [f"r{index + 1}"]) for index in range(layers)),
    ]
    weights = {"position": np.abs(floats(16)), "table": floats(ROWS, 8), "w": floats(8, 8) / 3}
    outputs = [value(f"r{layers}", ["N", 8]), value("i", ["N"], INT64)]
    return model_of(nodes, [value("x", ["N", 16])], outputs, **weights)


def test_a_layer_that_computes_an_index_keeps_float32_with_what_leads_to_it(tmp_path: Path) -> None:
    made, got, want = both(network(2), {"x": 50 * np.abs(floats(500, 16))}, tmp_path)
    assert np.array_equal(got[1], want[1])
    assert np.allclose(got[0], want[0], atol=2e-2)
    assert [name for name in made.kept if "MatMul" in name or name == "regress"] == ["regress"]


def test_an_index_that_most_layers_lead_to_is_refused_with_its_node(place: Workplace) -> None:
    place.model(network(0))
    given = "model: {onnx: m.onnx, inputs: {x: {values: 'uniform[0,20]'}}}\n"
    variants = place.prepare(f"{given}variants: {{precision: [fp32, fp16]}}").spec.variants
    assert variants[0].refusal == ""
    assert "operator Cast ('to_index') makes an index" in variants[1].refusal
    assert "MatMul ('regress')" in variants[1].refusal


def test_neighbours_that_are_weighed_by_the_fraction_are_no_such_index(tmp_path: Path) -> None:
    """Bilinear sampling behind a layer: a row further on has no weight there, and nothing is refused."""
    nodes = [
        NODE("MatMul", ["x", "position"], ["p"]),
        NODE("Floor", ["p"], ["f"]),
        NODE("Sub", ["p", "f"], ["fraction"]),
        NODE("Sub", ["one", "fraction"], ["rest"]),
        NODE("Cast", ["f"], ["i"], to=INT64),
        NODE("Add", ["i", "next"], ["j"]),
        NODE("Gather", ["table", "i"], ["a"]),
        NODE("Gather", ["table", "j"], ["b"]),
        NODE("Mul", ["a", "rest"], ["c"]),
        NODE("Mul", ["b", "fraction"], ["d"]),
        NODE("Add", ["c", "d"], ["y"]),
    ]
    # Small positions: a fraction far below its position keeps the layer in float32, as a difference of near numbers.
    weights = {"position": np.abs(floats(16)) / 4, "table": np.linspace(0, 1, ROWS, dtype=np.float32)}
    weights |= {"one": SCALAR([1]), "next": np.array([1])}
    model = model_of(nodes, [value("x", ["N", 16])], [value("y", ["N"])], **weights)
    made, (got,), (want,) = both(model, {"x": np.abs(floats(64, 16))}, tmp_path)
    assert np.allclose(got, want, atol=2e-3)
    assert not kept(made, "MatMul")


def test_a_body_rounds_what_is_float32_around_it(tmp_path: Path) -> None:
    body = helper.make_graph([NODE("Floor", ["q"], ["o"])], "then", [], [value("o", ["N"])])
    other = helper.make_graph([NODE("Neg", ["q"], ["o"])], "else", [], [value("o", ["N"])])
    nodes = [NODE("Mul", ["p", "some"], ["q"]), NODE("If", ["yes"], ["y"], then_branch=body, else_branch=other)]
    inputs = [value("p", ["N"]), value("yes", [], TensorProto.BOOL)]
    model = model_of(nodes, inputs, [value("y", ["N"])], some=SCALAR([0.511]))
    given = {"p": np.arange(0, 5000, 7, dtype=np.float32), "yes": np.array(True)}
    _, (got,), (want,) = both(model, given, tmp_path)
    assert np.array_equal(got, want)
