"""What keeps float32 in a half precision graph, judged by evaluating the graph in true half precision."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from controller.intake.lowering.ranges import seen_values
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.true_half import SCALAR, both, kept


@pytest.mark.parametrize("offset", [9_000.0, 20_000.0, 60_000.0])
def test_a_constant_that_half_can_hold_is_not_cut(tmp_path: Path, offset: float) -> None:
    model = model_of(
        [NODE("Add", ["x", "c"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 4])], c=SCALAR([offset])
    )
    made, (got,), (want,) = both(model, {"x": floats(2, 4)}, tmp_path)
    assert np.allclose(got, want, rtol=1e-3)
    assert made.cut == ()


@pytest.mark.parametrize("factor", [1e5, 3e38, 1e-6, 1e-12])
def test_a_constant_that_half_cannot_hold_keeps_its_node_in_float32(tmp_path: Path, factor: float) -> None:
    nodes = [NODE("Mul", ["x", "c"], ["a"]), NODE("Div", ["a", "c"], ["b"]), NODE("Neg", ["b"], ["y"])]
    model = model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 4])], c=SCALAR([factor]))
    made, (got,), (want,) = both(model, {"x": floats(2, 4) / 4}, tmp_path)
    assert np.allclose(got, want, rtol=2e-3)
    assert kept(made, "Mul")
    assert "constant 'c' is" in next(iter(made.kept.values()))


def test_a_large_constant_that_is_added_but_masks_nothing_is_kept(tmp_path: Path) -> None:
    nodes = [NODE("Add", ["x", "c"], ["a"]), NODE("Sub", ["a", "c"], ["b"]), NODE("Neg", ["b"], ["y"])]
    model = model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 4])], c=SCALAR([1e6]))
    made, (got,), (want,) = both(model, {"x": 100 * floats(2, 4)}, tmp_path)
    assert np.allclose(got, want, rtol=2e-3, atol=0.2)
    assert made.cut == ()


@pytest.mark.parametrize("square", ["Pow", "Mul"])
def test_a_variance_without_a_root_keeps_its_statistics(tmp_path: Path, square: str) -> None:
    """Pooled statistics: half holds 400.5 and 400, and not their difference."""
    second = ["two"] if square == "Pow" else []
    nodes = [
        NODE(square, ["x", *(second or ["x"])], ["q"]),
        NODE("ReduceMean", ["q"], ["mean_q"], axes=[-1]),
        NODE("ReduceMean", ["x"], ["mean"], axes=[-1]),
        NODE(square, ["mean", *(second or ["mean"])], ["mean2"]),
        NODE("Sub", ["mean_q", "mean2"], ["variance"]),
        NODE("MatMul", ["variance", "w"], ["y"]),
    ]
    constants = {"two": SCALAR([2])} if second else {}
    model = model_of(nodes, [value("x", ["N", 64])], [value("y", ["N", 4])], w=floats(1, 4), **constants)
    made, (got,), (want,) = both(model, {"x": 20 + floats(8, 64)}, tmp_path)
    assert np.allclose(got, want, rtol=5e-2, atol=1e-3)
    assert not kept(made, "MatMul")


def test_a_root_may_be_a_power(tmp_path: Path) -> None:
    """x * (mean(x^2) + eps) ** -0.5, as many write it."""
    nodes = [
        NODE("Mul", ["x", "x"], ["q"]),
        NODE("ReduceMean", ["q"], ["mean"], axes=[-1]),
        NODE("Add", ["mean", "eps"], ["v"]),
        NODE("Pow", ["v", "minus_half"], ["r"]),
        NODE("Mul", ["x", "r"], ["n"]),
        NODE("MatMul", ["n", "w"], ["y"]),
    ]
    constants = {"minus_half": SCALAR([-0.5]), "eps": SCALAR([1e-3]), "w": floats(64, 4)}
    model = model_of(nodes, [value("x", ["N", 64])], [value("y", ["N", 4])], **constants)
    made, (got,), (want,) = both(model, {"x": floats(2, 64)}, tmp_path)
    assert np.allclose(got, want, rtol=2e-2, atol=2e-2)
    assert all(kept(made, name) for name in ("ReduceMean", "Add", "Pow"))
    assert not kept(made, "MatMul")


def test_what_would_overflow_keeps_float32_and_is_named(tmp_path: Path) -> None:
    nodes = [
        NODE("MatMul", ["x", "w"], ["big"]),
        NODE("Sqrt", ["big"], ["root"]),
        NODE("Mul", ["root", "root"], ["again"]),
        NODE("Log", ["again"], ["y"]),
    ]
    model = model_of(nodes, [value("x", ["N", 8])], [value("y", ["N", 4])], w=np.full((8, 4), 300, np.float32))
    made, (got,), (want,) = both(model, {"x": np.full((2, 8), 500, np.float32)}, tmp_path)
    assert np.allclose(got, want, rtol=2e-3)
    assert any("'big' reaches 1.2e+06, half precision ends at 65504" in reason for reason in made.kept.values())


@pytest.mark.parametrize("square", ["Pow", "Mul"])
def test_a_normalisation_in_single_operators_keeps_its_statistics(tmp_path: Path, square: str) -> None:
    second = NODE("Pow", ["x", "two"], ["q"]) if square == "Pow" else NODE("Mul", ["x", "x"], ["q"])
    nodes = [
        second,
        NODE("ReduceMean", ["q"], ["mean"], axes=[-1]),
        NODE("Add", ["mean", "eps"], ["v"]),
        NODE("Sqrt", ["v"], ["root"]),
        NODE("Reciprocal", ["root"], ["r"]),
        NODE("Mul", ["x", "r"], ["n"]),
        NODE("MatMul", ["n", "w"], ["y"]),
    ]
    constants = {"two": SCALAR([2]), "eps": SCALAR([1e-5]), "w": floats(64, 4)}
    if square == "Mul":
        del constants["two"]
    model = model_of(nodes, [value("x", ["N", 64])], [value("y", ["N", 4])], **constants)
    made, (got,), (want,) = both(model, {"x": 200 * floats(2, 64)}, tmp_path)
    assert np.allclose(got, want, rtol=2e-2, atol=2e-2)
    assert len(made.kept) == 5
    assert not kept(made, "MatMul")


def rotary(positions: int) -> onnx.ModelProto:
    """cos(position x frequency), as rotary embeddings have it, times an activation."""
    nodes = [
        NODE("Cast", ["ids"], ["p"], to=TensorProto.FLOAT),
        NODE("MatMul", ["p", "frequencies"], ["angle"]),
        NODE("Cos", ["angle"], ["cos"]),
        NODE("Mul", ["x", "cos"], ["n"]),
        NODE("MatMul", ["n", "w"], ["y"]),
    ]
    inputs = [value("x", [positions, 32]), value("ids", [positions, 1], TensorProto.INT64)]
    frequencies = (1 / 10000 ** (np.arange(32) / 32)).astype(np.float32)[None]
    return model_of(nodes, inputs, [value("y", [positions, 4])], frequencies=frequencies, w=floats(32, 4))


def test_rotary_angles_are_right_at_every_position(tmp_path: Path) -> None:
    made, (got,), (want,) = both(rotary(2600), {"x": floats(2600, 32), "ids": np.arange(2600)[:, None]}, tmp_path)
    assert np.allclose(got, want, atol=3e-2)
    assert kept(made, "Cos")
    assert sum(name.startswith("MatMul") for name in made.kept) == 1


def test_buckets_of_relative_positions_are_the_same_in_half(tmp_path: Path) -> None:
    """T5: log(distance / 16) / log(128 / 16) * 16, cut to an integer that chooses a row."""
    nodes = [
        NODE("Cast", ["distance"], ["d"], to=TensorProto.FLOAT),
        NODE("Div", ["d", "exact"], ["a"]),
        NODE("Log", ["a"], ["b"]),
        NODE("Div", ["b", "log8"], ["c"]),
        NODE("Mul", ["c", "exact"], ["e"]),
        NODE("Cast", ["e"], ["bucket"], to=TensorProto.INT64),
        NODE("Gather", ["table", "bucket"], ["row"]),
        NODE("Add", ["x", "row"], ["y"]),
    ]
    inputs = [value("x", ["N", 8]), value("distance", ["N"], TensorProto.INT64)]
    constants = {"exact": SCALAR([16]), "log8": np.log(SCALAR([8])), "table": floats(32, 8)}
    model = model_of(nodes, inputs, [value("y", ["N", 8]), value("bucket", ["N"], TensorProto.INT64)], **constants)
    distance = np.arange(16, 128)
    made, got, want = both(model, {"x": floats(len(distance), 8), "distance": distance}, tmp_path)
    assert np.array_equal(got[1], want[1])
    assert np.allclose(got[0], want[0], atol=1e-2)
    assert not kept(made, "Gather")


def test_an_embedding_is_an_activation(tmp_path: Path) -> None:
    nodes = [NODE("Gather", ["table", "ids"], ["e"]), NODE("Mul", ["e", "e"], ["a"]), NODE("Neg", ["a"], ["y"])]
    model = model_of(nodes, [value("ids", ["N"], TensorProto.INT64)], [value("y", ["N", 8])], table=floats(32, 8))
    made, _, _ = both(model, {"ids": np.arange(4)}, tmp_path)
    assert made.kept == {}


def test_times_of_a_diffusion_keep_float32_up_to_the_first_layer(tmp_path: Path) -> None:
    nodes = [
        NODE("Mul", ["t", "frequencies"], ["angle"]),
        NODE("Sin", ["angle"], ["sin"]),
        NODE("MatMul", ["sin", "w"], ["h"]),
        NODE("Relu", ["h"], ["y"]),
    ]
    model = model_of(
        nodes,
        [value("t", ["N", 1])],
        [value("y", ["N", 4])],
        frequencies=np.linspace(0, 1, 16, dtype=np.float32)[None],
        w=floats(16, 4),
    )
    made, (got,), (want,) = both(model, {"t": np.array([[999.0], [1.0]], np.float32)}, tmp_path)
    assert np.allclose(got, want, atol=1e-2)
    assert len(made.kept) == 2


def test_a_weight_that_only_a_body_reads_as_float32_stays_float32(tmp_path: Path) -> None:
    body = helper.make_graph(
        [
            NODE("Resize", ["v", "", "scales"], ["r"]),
            NODE("ReduceMean", ["r"], ["m"], axes=[2, 3], keepdims=0),
            NODE("Identity", ["c"], ["go"]),
            NODE("Identity", ["v"], ["v2"]),
        ],
        "body",
        [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", ["N", 2, 4, 4])],
        [value("go", [], TensorProto.BOOL), value("v2", ["N", 2, 4, 4]), value("m", ["N", 2])],
    )
    nodes = [NODE("Relu", ["x"], ["a"]), NODE("Loop", ["trips", "yes", "a"], ["y", "history"], body=body)]
    model = model_of(
        nodes,
        [value("x", ["N", 2, 4, 4])],
        [value("y", ["N", 2, 4, 4]), value("history", [3, "N", 2])],
        trips=np.array(3),
        yes=np.array(True),
        scales=SCALAR([1, 1, 2, 2]),
    )
    _, got, want = both(model, {"x": floats(1, 2, 4, 4)}, tmp_path)
    assert all(np.allclose(a, b, atol=1e-2) for a, b in zip(got, want, strict=True))


def test_ranges_are_those_of_the_reference_run(tmp_path: Path) -> None:
    nodes = [NODE("Mul", ["x", "c"], ["a"]), NODE("Neg", ["a"], ["b"]), NODE("Abs", ["b"], ["y"])]
    model = model_of(nodes, [value("x", [2])], [value("y", [2])], c=SCALAR([1000]))
    onnx.save_model(model, str(tmp_path / "m.onnx"))
    found = seen_values(tmp_path / "m.onnx", {"x": np.array([3, np.inf], np.float32)})
    assert found.largest == {"x": 3, "a": 3000, "b": 3000, "y": 3000}
    assert [item.name for item in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("constant", [1e6, 1e-8])
def test_a_body_computes_in_float32_with_what_it_reads_outside(tmp_path: Path, constant: float) -> None:
    def branch(name: str, nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
        return helper.make_graph(nodes, name, [], [value("o", ["N", 4])])

    there_and_back = [NODE("Mul", ["a", "c"], ["big"]), NODE("Div", ["big", "c"], ["o"])]
    nodes = [
        NODE("MatMul", ["x", "w"], ["a"]),
        NODE(
            "If",
            ["yes"],
            ["y"],
            then_branch=branch("then", there_and_back),
            else_branch=branch("else", [NODE("Neg", ["a"], ["o"])]),
        ),
    ]
    inputs = [value("x", ["N", 4]), value("yes", [], TensorProto.BOOL)]
    model = model_of(nodes, inputs, [value("y", ["N", 4])], w=floats(4, 4), c=SCALAR([constant]))
    made, (got,), (want,) = both(model, {"x": 100 * floats(2, 4), "yes": np.array(True)}, tmp_path)
    assert np.allclose(got, want, rtol=5e-3, atol=0.5)
    assert not kept(made, "MatMul")


def test_a_variance_as_a_difference_of_means_keeps_its_statistics(tmp_path: Path) -> None:
    """Flax: E[x^2] - E[x]^2."""
    nodes = [
        NODE("Mul", ["x", "x"], ["q"]),
        NODE("ReduceMean", ["q"], ["mean_q"], axes=[-1]),
        NODE("ReduceMean", ["x"], ["mean"], axes=[-1]),
        NODE("Mul", ["mean", "mean"], ["mean2"]),
        NODE("Sub", ["mean_q", "mean2"], ["variance"]),
        NODE("Add", ["variance", "eps"], ["v"]),
        NODE("Sqrt", ["v"], ["root"]),
        NODE("Div", ["x", "root"], ["n"]),
        NODE("MatMul", ["n", "w"], ["y"]),
    ]
    model = model_of(nodes, [value("x", ["N", 64])], [value("y", ["N", 4])], eps=SCALAR([1e-5]), w=floats(64, 4))
    made, (got,), (want,) = both(model, {"x": 20 + floats(2, 64)}, tmp_path)
    assert np.allclose(got, want, rtol=2e-2, atol=0.5)
    assert sum(name.startswith("ReduceMean") for name in made.kept) >= 1
