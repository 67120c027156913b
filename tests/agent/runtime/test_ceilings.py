"""What a CPU reaches at best: by graphs that are what they say, and rates that can be."""

import numpy as np
import onnx
import onnxruntime
import pytest

from agent.runtime import product_graph
from agent.runtime.onnxruntime import ceilings

SIDE = 64


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def weights(model: bytes) -> np.ndarray:
    return onnx.numpy_helper.to_array(onnx.load_from_string(model).graph.initializer[0])


@pytest.mark.parametrize(("dtype", "close"), [("float32", 1e-4), ("float16", 0.05)])
def test_a_row_of_products_is_one(dtype: str, close: float) -> None:
    model, x = product_graph.float_products(SIDE, dtype), product_graph.values(SIDE, dtype)
    w = weights(model).astype(np.float64)
    wanted = x.astype(np.float64)
    for _ in range(product_graph.PRODUCTS):
        wanted = wanted @ w
    found = run(model, x)
    assert found.dtype == dtype
    assert np.allclose(found, wanted, atol=close)
    assert product_graph.operations(SIDE) == product_graph.PRODUCTS * 2 * SIDE**3


def test_its_int8_form_has_a_pair_before_every_product_and_values_that_stay() -> None:
    model = product_graph.qdq_products(SIDE)
    kinds = [node.op_type for node in onnx.load_from_string(model).graph.node]
    assert kinds.count("MatMul") == kinds.count("QuantizeLinear") == product_graph.PRODUCTS
    found = run(model, product_graph.values(SIDE, "float32"))
    assert 0.3 < found.std() < 3


def test_single_products_and_the_negation() -> None:
    model, x = product_graph.one_product(SIDE), product_graph.values(SIDE, "float32")
    assert np.allclose(run(model, x), x @ weights(model), atol=1e-4)
    model, whole = product_graph.integer_product(SIDE), product_graph.values(SIDE, "uint8")
    assert np.array_equal(run(model, whole), whole.astype(np.int32) @ weights(model).astype(np.int32))
    assert np.array_equal(run(product_graph.negation(2, 3), np.ones((2, 3), np.float32)), -np.ones((2, 3)))


def test_rates_are_those_of_a_machine() -> None:
    """Between a microcontroller's and more than any CPU's: wrong units would lie outside."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    found = ceilings.measure_ceilings(options, int8=True)
    assert set(found.rates) == {"matmul_gflop_per_s", "matmul_int8_gop_per_s", "copy_gb_per_s"}
    assert 0.01 < found.rates["matmul_gflop_per_s"] < 100_000
    assert 0.01 < found.rates["matmul_int8_gop_per_s"] < 1_000_000
    assert 0.01 < found.rates["copy_gb_per_s"] < 10_000
    assert "on 1 threads" in found.how
    assert "matmul_int8_gop_per_s" not in ceilings.measure_ceilings(options).rates
