"""The same ONNX file through other people's loops and through ours: the ratio of medians, and why each differs.

All on ONNX Runtime's CPU provider with one thread, in one process and in turns, so that what the machine does it does
to all; where a GPU answers, on its CUDA provider too. Beside ours: `session.run` by hand, `session.run` the way that
onnxruntime_perf_test times it (inputs made before, outputs made by ONNX Runtime, sequential), I/O binding by hand, and
polygraphy's runner, where it is installed.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime

from agent.runtime.base import Session
from agent.runtime.onnxruntime.cpu import OnnxSession
from agent.runtime.onnxruntime.graph import open_engine
from agent.runtime.onnxruntime.options import session_options
from agent.work.measure import MeasureLimits, measure_alone
from benchmarks.figure import Figure, main
from benchmarks.harness import CHAIN_SHAPE, chain_model
from benchmarks.processes import scratch
from jetfleet.v1.task_pb2 import TensorSpec

_OURS = "the agent's loop"
_Loop = tuple[str, Callable[[], None], str]


def peers(tiny: bool) -> Iterator[Figure]:
    rounds, window_s = (2, 0.02) if tiny else (20, 0.3)
    with scratch() as folder:
        path = folder / "model.onnx"
        onnx.save(chain_model(), path)
        for name, model, shape in (("six products of 256x256", path, CHAIN_SHAPE), _small(folder)):
            yield from _compared(name, model, shape, rounds=rounds, window_s=window_s)
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            for graph in ("off", "auto"):
                yield from _on_gpu(folder, graph, rounds, window_s)


def _small(folder: Path) -> tuple[str, Path, tuple[int, ...]]:
    """One addition: what a loop costs shows here."""
    shape = (1, 64)
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Add", ["x", "x"], ["y"])], "sum", values[:1], values[1:])
    path = folder / "small.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return "one addition of 64", path, shape


def _compared(name: str, model: Path, shape: tuple[int, ...], *, rounds: int, window_s: float) -> Iterator[Figure]:
    options = session_options({"threads": "1"})
    session = open_engine(model, options)
    ours = OnnxSession(session, options, [TensorSpec(name="x", dtype="float32", shape=shape)])
    x = np.ones(shape, np.float32)
    ours.bind({"x": x})
    limits = MeasureLimits(warmup_s=0.0, min_s=window_s, max_s=1.5 * window_s)
    with ExitStack() as stack:
        loops = [*_hand_loops(session, x), *_polygraphy(model, x, stack)]
        found = _in_turns(lambda: _p50_ms(ours, limits), loops, rounds, window_s)
    yield Figure(f"{name}: p50 by {_OURS}", median(found[_OURS]), "ms", note=f"median of {rounds} windows, one thread")
    for what, _, why in loops:
        ratios = [theirs / own for theirs, own in zip(found[what], found[_OURS], strict=True)]
        yield Figure(f"{name}: {what} over {_OURS}", median(ratios), "x", note=why)


def _hand_loops(session: Any, x: np.ndarray[Any, Any]) -> list[_Loop]:
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y", "cpu")
    value = {"x": onnxruntime.OrtValue.ortvalue_from_numpy(x)}
    feed = {"x": x}
    return [
        (
            "I/O binding by hand",
            lambda: session.run_with_iobinding(binding),
            "the same call",
        ),
        (
            "session.run by hand",
            lambda: session.run(None, feed),
            "makes an array of each input and a copy of each output, every time",
        ),
        (
            "a loop as onnxruntime_perf_test has",
            lambda: session.run_with_ort_values(None, value),
            "inputs made once; every run makes its outputs, and Python wraps values one by one, which C++ does not",
        ),
    ]


def _polygraphy(model: Path, x: np.ndarray[Any, Any], stack: ExitStack) -> list[_Loop]:
    """Its runner's `infer`, where it is installed: with the same number of threads."""
    try:
        runner_module = importlib.import_module("polygraphy.backend.onnxrt")
    except ImportError:
        sys.stderr.write("peers: polygraphy is not installed and not compared\n")
        return []
    runner = runner_module.OnnxrtRunner(lambda: open_engine(model, session_options({"threads": "1"})))
    stack.enter_context(runner)
    why = "checks names, types and shapes of inputs, then session.run, and times itself"
    return [("polygraphy's runner", lambda: runner.infer({"x": x}), why)]


def _in_turns(ours: Callable[[], float], loops: list[_Loop], rounds: int, window_s: float) -> dict[str, list[float]]:
    """p50 of each window of each loop; who comes first changes from round to round."""
    steps = [(_OURS, ours)] + [(what, _timed(call, window_s)) for what, call, _ in loops]
    found: dict[str, list[float]] = {what: [] for what, _ in steps}
    for number in range(rounds):
        begin = number % len(steps)
        for what, step in (*steps[begin:], *steps[:begin]):
            found[what].append(step())
    return found


def _timed(call: Callable[[], object], window_s: float) -> Callable[[], float]:
    def p50_ms() -> float:
        clock, taken = time.perf_counter_ns, list[int]()
        end = clock() + int(window_s * 1e9)
        while clock() < end or len(taken) < 5:
            before = clock()
            call()
            taken.append(clock() - before)
        return median(taken) / 1e6

    return p50_ms


def _p50_ms(session: Session, limits: MeasureLimits) -> float:
    """Of whole inferences by the host's clock, as all the others have it."""
    recording = measure_alone(session, limits, lambda phase, fraction, detail: None)
    return float(np.median(np.concatenate(recording.stages["e2e"])))


def _on_gpu(folder: Path, graph: str, rounds: int, window_s: float) -> Iterator[Figure]:
    """The residual network of the bar `gpu`: our session, and the barest loop."""
    from benchmarks.gpuort import Twins

    name = f"a residual network on the GPU, cuda_graph {graph}"
    try:
        twins = Twins(folder, cuda_graph=graph)
    except ImportError as error:
        yield Figure(name, None, "", note=str(error))
        return
    limits = MeasureLimits(warmup_s=0.0, min_s=window_s, max_s=1.5 * window_s)
    what, used = "update_inplace and run_with_iobinding", twins.session.describe()
    found = _in_turns(lambda: _p50_ms(twins.session, limits), [(what, twins.bare, "")], rounds, window_s)
    twins.close()
    ratios = [theirs / own for theirs, own in zip(found[what], found[_OURS], strict=True)]
    told = f"graph {used['cuda_graph']}"
    why = "copies from pageable memory and a wait in each call; ours from page-locked memory, and one event"
    yield Figure(f"{name}: p50 by {_OURS}", median(found[_OURS]), "ms", note=told)
    yield Figure(f"{name}: {what} over {_OURS}", median(ratios), "x", note=why)


if __name__ == "__main__":
    main("peers", peers)
