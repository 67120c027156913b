"""What the measuring loop adds to a latency: ours against a bare loop on the very same ONNX Runtime session.

Both time inferences with I/O binding in one process, in turns, so that whatever the machine does it does to both.
"""

import time
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from agent.runtime.onnxruntime.cpu import OnnxSession
from agent.runtime.onnxruntime.graph import open_engine
from agent.runtime.onnxruntime.options import session_options
from agent.work.measure import MeasureLimits, measure_alone
from benchmarks.figure import Figure, main
from benchmarks.processes import scratch
from jetfleet.v1.task_pb2 import TensorSpec

_WIDTH, _LAYERS = 256, 6
CHAIN_SHAPE = (_WIDTH, _WIDTH)


def harness(tiny: bool) -> list[Figure]:
    rounds, window_s = (2, 0.02) if tiny else (30, 0.4)
    with scratch() as folder:
        session = cpu_session(folder, "1")
        bare = _Bare(session)
        ours_ms: list[float] = []
        bare_ms: list[float] = []
        limits = MeasureLimits(warmup_s=0.0, min_s=window_s, max_s=window_s * 1.5)
        for number in range(rounds):
            ours_first = number % 2 == 0
            if ours_first:
                ours_ms.append(_ours_p50_ms(session, limits))
            bare_ms.append(bare.p50_ms(window_s))
            if not ours_first:
                ours_ms.append(_ours_p50_ms(session, limits))
    excess = [(ours / alone - 1) * 100 for ours, alone in zip(ours_ms, bare_ms, strict=True)]
    return [
        Figure("p50 by the measuring loop", median(ours_ms), "ms", note=f"median of {rounds} windows"),
        Figure("p50 by a bare loop", median(bare_ms), "ms", note="the same session, in turns"),
        Figure("difference, either way", abs(median(excess)), "%", at_most=1, note="median over pairs of windows"),
    ]


def _ours_p50_ms(session: OnnxSession, limits: MeasureLimits) -> float:
    recording = measure_alone(session, limits, lambda phase, fraction, detail: None)
    return float(np.median(np.concatenate(recording.rounds)))


class _Bare:
    """run_with_iobinding and a clock, and nothing else."""

    def __init__(self, session: OnnxSession) -> None:
        self._session = session._session
        self._binding = self._session.io_binding()
        self._binding.bind_cpu_input("x", np.ones(CHAIN_SHAPE, np.float32))
        self._binding.bind_output("y", "cpu")

    def p50_ms(self, window_s: float) -> float:
        run, binding, clock = self._session.run_with_iobinding, self._binding, time.perf_counter_ns
        taken: list[int] = []
        end = clock() + int(window_s * 1e9)
        while clock() < end or len(taken) < 5:
            before = clock()
            run(binding)
            taken.append(clock() - before)
        return median(taken) / 1e6


def cpu_session(folder: Path, threads: str) -> OnnxSession:
    path = folder / "model.onnx"
    onnx.save(chain_model(), path)
    spec = TensorSpec(name="x", dtype="float32", shape=CHAIN_SHAPE)
    options = session_options({"threads": threads})
    session = OnnxSession(open_engine(path, options), options, [spec])
    session.bind({"x": np.ones(CHAIN_SHAPE, np.float32)})
    return session


def chain_model() -> onnx.ModelProto:
    """A chain of matrix products, a millisecond or more of them on one thread."""
    weights = [
        numpy_helper.from_array(np.full((_WIDTH, _WIDTH), 1 / _WIDTH, np.float32), f"w{k}") for k in range(_LAYERS)
    ]
    names = ["x", *(f"h{k}" for k in range(1, _LAYERS)), "y"]
    nodes = [helper.make_node("MatMul", [names[k], f"w{k}"], [names[k + 1]]) for k in range(_LAYERS)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [_WIDTH, _WIDTH]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    main("harness", harness)
