"""How fast this CPU multiplies and moves bytes at best, by the same runtime with the same options: what a network's own
rate is held against. Measured after the timing, for half a second.
"""

import time

import numpy as np
import onnxruntime

from agent.runtime.arrays import Tensor
from agent.runtime.base import Ceilings
from agent.runtime.onnxruntime.graph import NUMPY
from agent.runtime.product_graph import integer_product, negation, one_product, values

_SIDE = 512  # of the factors: larger than caches of the first levels, and some milliseconds on one thread
_ROWS, _COLUMNS = 4096, 2048  # of floats: 32 MiB, which no cache keeps
_LOOK_S = 0.2
_LEAST = 3


def measure_ceilings(options: onnxruntime.SessionOptions, *, int8: bool = False) -> Ceilings:
    """By as many threads as the options say: the best of several. In half a CPU has no kernels of its own."""
    operations = 2 * _SIDE**3
    rates = {"matmul_gflop_per_s": operations / _best_s(one_product(_SIDE), options, values(_SIDE, "float32")) / 1e9}
    if int8:
        product_s = _best_s(integer_product(_SIDE), options, values(_SIDE, "uint8"))
        rates["matmul_int8_gop_per_s"] = operations / product_s / 1e9
    plane = np.ones((_ROWS, _COLUMNS), np.float32)
    rates["copy_gb_per_s"] = 2 * plane.nbytes / _best_s(negation(_ROWS, _COLUMNS), options, plane) / 1e9
    how = f"a product of {_SIDE} x {_SIDE} and a plane of {plane.nbytes >> 20} MiB negated, by ONNX Runtime"
    return Ceilings(rates, f"{how} on {options.intra_op_num_threads} threads, the best of {_LOOK_S} s each")


def _best_s(model: bytes, options: onnxruntime.SessionOptions, array: Tensor) -> float:
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(array))
    (made,) = session.get_outputs()
    place = onnxruntime.OrtValue.ortvalue_from_shape_and_type(made.shape, np.dtype(NUMPY[made.type]).type, "cpu")
    binding.bind_ortvalue_output("y", place)
    begin, best_s, count = time.perf_counter(), float("inf"), 0
    while count < _LEAST or time.perf_counter() - begin < _LOOK_S:
        before = time.perf_counter()
        session.run_with_iobinding(binding)
        best_s = min(best_s, time.perf_counter() - before)
        count += 1
    return best_s
