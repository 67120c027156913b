"""What a device reaches at best: by graphs that are what they say, and rates that can be."""

import numpy as np
import onnxruntime

from agent.runtime.onnxruntime import ceilings


def test_the_graphs_are_a_product_and_a_negation() -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    b = np.ones((3, 2), np.float32)
    for model, inputs, wanted in (
        (ceilings._MATMUL, {"a": a, "b": b}, a @ b),
        (ceilings._NEGATE, {"a": a}, -a),
    ):
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        assert np.array_equal(session.run(None, inputs)[0], wanted)


def test_rates_are_those_of_a_machine() -> None:
    """Between a microcontroller's and more than any CPU's: wrong units would lie outside."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    found = ceilings.measure_ceilings(options)
    assert 0.01 < found.matmul_gflop_per_s < 100_000
    assert 0.01 < found.copy_gb_per_s < 10_000
