"""How fast this device multiplies and moves floats at best, by the same runtime with the same options: what a network's
own rate is held against. Measured after the timing, for half a second.
"""

import time

import numpy as np
import onnxruntime

from agent.runtime.base import Ceilings

# Graphs of one node over float32 matrices of any size, y = a b and y = -a, as onnx.helper makes them: the agent has no
# onnx to make them with.
_MATMUL = bytes.fromhex(
    "08073a4f0a110a01610a016212017922064d61744d756c1201635a150a016112100a0e0801120a0a0312016e0a0312016d"
    "5a150a016212100a0e0801120a0a0312016e0a0312016d62090a017912040a02080142040a00100d"
)
_NEGATE = bytes.fromhex(
    "08073a320a0b0a016112017922034e65671201635a150a016112100a0e0801120a0a0312016e0a0312016d"
    "62090a017912040a02080142040a00100d"
)
_SIDE = 512  # of the factors: larger than caches of the first levels, and some milliseconds on one thread
_ROWS = 4096  # of 2048 floats: 32 MiB, which no cache keeps
_LOOK_S = 0.2
_LEAST = 3


def measure_ceilings(options: onnxruntime.SessionOptions) -> Ceilings:
    """Of the CPU, by as many threads as the options say: the best of several."""
    factor = np.ones((_SIDE, _SIDE), np.float32)
    product_s = _best_s(_MATMUL, options, {"a": factor, "b": factor}, factor.shape)
    plane = np.ones((_ROWS, 2048), np.float32)
    copy_s = _best_s(_NEGATE, options, {"a": plane}, plane.shape)
    return Ceilings(
        matmul_gflop_per_s=2 * _SIDE**3 / product_s / 1e9,
        copy_gb_per_s=2 * plane.nbytes / copy_s / 1e9,
    )


def _best_s(
    model: bytes,
    options: onnxruntime.SessionOptions,
    inputs: "dict[str, np.ndarray[tuple[int, int], np.dtype[np.float32]]]",
    shape: tuple[int, ...],
) -> float:
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    made = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), np.float32, "cpu")
    binding.bind_ortvalue_output("y", made)
    begin, best_s, count = time.perf_counter(), float("inf"), 0
    while count < _LEAST or time.perf_counter() - begin < _LOOK_S:
        before = time.perf_counter()
        session.run_with_iobinding(binding)
        best_s = min(best_s, time.perf_counter() - before)
        count += 1
    return best_s
