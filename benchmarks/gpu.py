"""What the agent's GPU session adds to a latency: against a C++ loop over the same kernels, in turns, in one process.

And for information ONNX Runtime's CUDA provider in that session, against the barest Python loop over the same graph.
Without an NVIDIA GPU, pycuda and nvcc there is nothing to measure, and the program says so.
"""

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from agent.runtime.gpu.cuda import Cuda, is_usable
from agent.runtime.gpu.session import GpuOptions, GpuSession
from agent.work.measure import MeasureLimits, measure_alone
from benchmarks.chain import Chain, compile_chain, nvcc
from benchmarks.figure import Figure, main
from benchmarks.processes import scratch
from testing.processes import BrokenRun

_LONG = (1024, 4)  # size and depth of a chain that takes a millisecond or two on a large GPU
_SHORT = (64, 8)  # and of one that is over in no time: what a call of Python costs shows here
_CLOSE = 1e-3  # of float32 sums against double precision


@dataclass
class Pairs:
    """p50 of windows, of the two loops in turns."""

    ours_ms: list[float] = field(default_factory=list)
    native_ms: list[float] = field(default_factory=list)
    ours_wall_ms: list[float] = field(default_factory=list)
    native_wall_ms: list[float] = field(default_factory=list)

    @property
    def excess(self) -> float:
        """Median over pairs of ours above the native loop's, in percent."""
        pairs = zip(self.ours_ms, self.native_ms, strict=True)
        return median((ours / native - 1) * 100 for ours, native in pairs)


def gpu(tiny: bool) -> list[Figure]:
    missing = [what for what, there in (("a GPU with pycuda", is_usable()), ("nvcc", nvcc())) if not there]
    if missing:
        sys.stderr.write(f"gpu: not measured, this machine lacks {' and '.join(missing)}\n")
        return []
    rounds, window_s = (2, 0.05) if tiny else (20, 0.4)
    figures: list[Figure] = []
    # One context for all: CUDA's runtime, in the chain's library, does not survive that it goes and comes again.
    with scratch() as folder, closing(Cuda.open()) as cuda:
        library = compile_chain(folder, cuda.compute_capability)
        for how, words in ((GpuOptions("block"), "sleeping wait"), (GpuOptions("spin"), "spinning wait")):
            figures += _bar(_pairs(library, _LONG, how, rounds, window_s), words)
        short = _pairs(library, _SHORT, GpuOptions("spin"), rounds, window_s)
        figures += _for_information(short, "8 tiny kernels")
        graph = _pairs(library, _SHORT, GpuOptions("spin", cuda_graph=True), rounds, window_s)
        figures.append(Figure("p50 by the agent, 8 tiny kernels in a CUDA graph", median(graph.ours_ms), "ms"))
        figures += _onnxruntime(folder, rounds, window_s)
    return figures


def _bar(pairs: Pairs, how: str) -> list[Figure]:
    return [
        Figure(f"p50 by the agent, {how}", median(pairs.ours_ms), "ms", note=f"median of {len(pairs.ours_ms)} windows"),
        Figure(f"p50 by a C++ loop, {how}", median(pairs.native_ms), "ms", note="the same kernels, in turns"),
        Figure(f"difference, {how}", abs(pairs.excess), "%", at_most=1, note="median over pairs of windows"),
        Figure(f"wall clock by the agent, {how}", median(pairs.ours_wall_ms), "ms", note="p50 of an inference"),
        Figure(f"wall clock by a C++ loop, {how}", median(pairs.native_wall_ms), "ms", note="p50 of an inference"),
    ]


def _for_information(pairs: Pairs, what: str) -> list[Figure]:
    return [
        Figure(f"p50 by the agent, {what}", median(pairs.ours_ms), "ms"),
        Figure(f"p50 by a C++ loop, {what}", median(pairs.native_ms), "ms", note="the same kernels, in turns"),
        Figure(f"wall clock by the agent, {what}", median(pairs.ours_wall_ms), "ms"),
        Figure(f"wall clock by a C++ loop, {what}", median(pairs.native_wall_ms), "ms"),
    ]


def _pairs(library: ctypes.CDLL, shape: tuple[int, int], how: GpuOptions, rounds: int, window_s: float) -> Pairs:
    with _opened(library, shape, how) as (session, chain):
        session.bind({"x": chain.values})
        session.infer()
        spin = how.wait == "spin"
        expected, native = chain.expected(), chain.time_natively(10, spin=spin)
        _must_agree(session.outputs()["y"], expected)
        _must_agree(native[2], expected)
        count = max(20, int(window_s * 1e3 / float(np.median(native[1]))))
        pairs = Pairs()

        def ours() -> None:
            recording = measure_alone(
                session, MeasureLimits(0.0, window_s, 1.5 * window_s), lambda phase, fraction, detail: None
            )
            pairs.ours_ms.append(float(np.median(np.concatenate(recording.rounds))))
            pairs.ours_wall_ms.append(float(np.median(np.concatenate(recording.stages["e2e"]))))

        def natively() -> None:
            latency_ms, wall_ms, _ = chain.time_natively(count, spin=spin)
            pairs.native_ms.append(float(np.median(latency_ms)))
            pairs.native_wall_ms.append(float(np.median(wall_ms)))

        _in_turns(ours, natively, rounds)
        return pairs


def _in_turns(first: Callable[[], None], second: Callable[[], None], rounds: int) -> None:
    """A B, B A, A B: neither is always the one that finds the other's traces."""
    for number in range(rounds):
        for step in (first, second) if number % 2 == 0 else (second, first):
            step()


@contextmanager
def _opened(library: ctypes.CDLL, shape: tuple[int, int], how: GpuOptions) -> Iterator[tuple[GpuSession, Chain]]:
    cuda = Cuda.open(wait=how.wait)
    chain = Chain(library, *shape)
    with closing(GpuSession(chain, cuda, how)) as session:
        if how.cuda_graph:
            session.bind({"x": chain.values})
            if session.describe()["cuda_graph"] != "on":
                raise BrokenRun(f"no CUDA graph: {session.describe()['cuda_graph']}")
        yield session, chain


def _must_agree(got: NDArray[np.float32], expected: NDArray[np.float64]) -> None:
    error = float(np.linalg.norm(got - expected) / np.linalg.norm(expected))
    if not error < _CLOSE:
        raise BrokenRun(f"the chain's answer is off by {error:.2e}")


def _onnxruntime(folder: Path, rounds: int, window_s: float) -> list[Figure]:
    """For information; where it cannot run, a line says so and every other figure stands."""
    try:
        from benchmarks.gpuort import Twins

        twins = Twins(folder)
    except ImportError as error:
        sys.stderr.write(f"gpu: ONNX Runtime not measured: {error}\n")
        return []
    with closing(twins):
        ours_ms: list[float] = []
        latency_ms: list[float] = []
        bare_ms: list[float] = []

        def ours() -> None:
            limits = MeasureLimits(0.0, window_s, 1.5 * window_s)
            recording = measure_alone(twins.session, limits, lambda phase, fraction, detail: None)
            latency_ms.append(float(np.median(np.concatenate(recording.rounds))))
            ours_ms.append(float(np.median(np.concatenate(recording.stages["e2e"]))))

        def bare() -> None:
            taken: list[int] = []
            run, clock = twins.bare, time.perf_counter_ns
            end = clock() + int(window_s * 1e9)
            while clock() < end or len(taken) < 5:
                before = clock()
                run()
                taken.append(clock() - before)
            bare_ms.append(median(taken) / 1e6)

        _in_turns(ours, bare, rounds)
        note = "a small residual network, batch 8; for information"
        return [
            Figure("ONNX Runtime by the agent, latency p50", median(latency_ms), "ms", note=note),
            Figure("ONNX Runtime by the agent, wall clock p50", median(ours_ms), "ms"),
            Figure(
                "ONNX Runtime by a bare Python loop, wall clock p50",
                median(bare_ms),
                "ms",
                note="update_inplace, run_with_iobinding",
            ),
        ]


if __name__ == "__main__":
    main("gpu", gpu)
