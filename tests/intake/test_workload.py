"""Operations and bytes of a graph, counted by hand."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from controller.intake.graph.workload import count_workload
from tests.intake.conftest import Workplace, linear
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.images import image_network


def test_a_product_of_matrices(place: Workplace) -> None:
    """x [N, 4] by w [4, 3]: 2 x N x 3 x 4 operations, 12 weights, N x 4 floats read, N x 3 written and read."""
    found = count_workload(place.model(linear()), {"x": np.zeros((5, 4), np.float32)})
    assert found is not None
    assert (found.flop, found.weight_bytes, found.tensor_bytes) == (2 * 5 * 3 * 4, 4 * 12, 4 * (5 * 4 + 2 * 5 * 3))


def test_convolutions_by_their_groups(place: Workplace) -> None:
    nodes = [NODE("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], group=2), NODE("Relu", ["c"], ["y"])]
    model = model_of(nodes, [value("x", ["N", 4, 8, 8])], [value("y", ["N", 6, 8, 8])], w=floats(6, 2, 3, 3))
    found = count_workload(place.model(model), {"x": np.zeros((2, 4, 8, 8), np.float32)})
    assert found is not None
    assert found.flop == 2 * (2 * 6 * 8 * 8) * (2 * 3 * 3)


def test_a_transposed_factor_and_a_whole_network(place: Workplace) -> None:
    nodes = [NODE("Gemm", ["x", "w"], ["y"], transA=1, transB=1)]
    model = model_of(nodes, [value("x", [7, 5])], [value("y", [5, 3])], w=floats(3, 7))
    found = count_workload(place.model(model), {"x": np.zeros((7, 5), np.float32)})
    assert found is not None
    assert found.flop == 2 * 5 * 3 * 7
    assert count_workload(place.model(image_network()), {"image": np.zeros((2, 3, 8, 8), np.float32)}) is not None


def test_weights_that_are_constants_of_nodes(place: Workplace) -> None:
    nodes = [
        NODE("Constant", [], ["w"], value=numpy_helper.from_array(floats(4, 3))),
        NODE("MatMul", ["x", "w"], ["y"]),
    ]
    model = model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 3])])
    found = count_workload(place.model(model), {"x": np.zeros((5, 4), np.float32)})
    assert found == count_workload(place.model(linear()), {"x": np.zeros((5, 4), np.float32)})


def test_a_shape_that_only_a_run_tells(place: Workplace) -> None:
    """y = Reshape(x, [-1, 12]) w, where 12 is computed from a maximum, which no inference follows."""
    nodes = [
        NODE("ReduceMax", ["of"], ["most"], keepdims=1, axes=[0]),
        NODE("Concat", ["open", "most"], ["to"], axis=0),
        NODE("Reshape", ["x", "to"], ["r"]),
        NODE("MatMul", ["r", "w"], ["y"]),
    ]
    held = {"of": np.array([4, 12]), "open": np.array([-1]), "w": floats(12, 5)}
    model = model_of(nodes, [value("x", ["N", 4, 3])], [value("y", ["a", "b"])], **held)
    found = count_workload(place.model(model), {"x": np.zeros((6, 4, 3), np.float32)})
    assert found is not None
    assert found.flop == 2 * 6 * 12 * 5


@pytest.mark.parametrize("kind", ["unknown", "branch"])
def test_what_cannot_be_counted_is_not(place: Workplace, kind: str) -> None:
    if kind == "unknown":
        nodes = [NODE("NonZero", ["x"], ["n"]), NODE("Cast", ["n"], ["f"], to=1), NODE("MatMul", ["f", "f"], ["y"])]
        model = model_of(nodes, [value("x", [4, 4])], [value("y", ["a", "b"])])
    else:
        body = helper.make_graph([NODE("Identity", ["x"], ["o"])], "b", [], [value("o", [4])])
        nodes = [NODE("If", ["c"], ["y"], then_branch=body, else_branch=body)]
        condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
        model = model_of(nodes, [value("x", [4]), condition], [value("y", [4])])
    path = place.folder / "m.onnx"
    onnx.save(model, str(path))
    assert count_workload(path, {"x": np.zeros((4, 4) if kind == "unknown" else (4,), np.float32)}) is None
