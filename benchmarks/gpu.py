"""What the agent's GPU session adds to a latency: against C++ loops over the same kernels, in turns, in one process.

One C++ loop has one inference in flight, as the agent has by default; the other has trtexec's structure, as the agent's
`inflight: 2`. And for information ONNX Runtime's CUDA provider in that session, against the barest Python loop over the
same graph. A part that cannot run is a line that says why, and costs no other part its figures. Without an NVIDIA GPU,
pycuda and nvcc there is nothing to measure, and the program says so.
"""

import ctypes
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from agent.runtime.gpu.cuda import Cuda, is_usable
from agent.runtime.gpu.options import GpuOptions
from agent.runtime.gpu.session import GpuSession
from agent.telemetry.clocks import ClockSensors, describe_clocks
from agent.work.measure import MeasureLimits, measure_alone
from benchmarks.chain import Chain, compile_chain, nvcc
from benchmarks.context import context_figures
from benchmarks.figure import Figure, main
from benchmarks.processes import scratch
from testing.processes import BrokenRun

_LONG = (1024, 4)  # size and depth of a chain that takes a millisecond or two on a large GPU
_SHORT = (64, 8)  # and of one that is over in no time: what a call of Python costs shows here
_CLOSE = 1e-3  # of float32 sums against double precision


@dataclass
class Loop:
    """p50 of each window of one loop: latency, copy in, compute, enqueue and the host's wall clock, in milliseconds."""

    h2d: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    compute: list[float] = field(default_factory=list)
    enqueue: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, **samples: NDArray[np.float64]) -> None:
        for name, values in samples.items():
            getattr(self, name).append(float(np.median(values)))


@dataclass
class Pairs:
    """Windows of the two loops, in turns."""

    ours: Loop = field(default_factory=Loop)
    native: Loop = field(default_factory=Loop)

    def excess(self, name: str) -> float:
        """Median over pairs of ours above the native loop's, in percent."""
        above: list[float] = getattr(self.ours, name)
        below: list[float] = getattr(self.native, name)
        return median((ours / native - 1) * 100 for ours, native in zip(above, below, strict=True))


def gpu(tiny: bool) -> Iterator[Figure]:
    missing = missing_for_gpu()
    if missing:
        sys.stderr.write(f"gpu: not measured, this machine lacks {' and '.join(missing)}\n")
        return
    rounds, window_s = (2, 0.05) if tiny else (20, 0.4)
    yield from part("device memory of a context", context_figures)
    with scratch() as folder, closing(Cuda.open()) as cuda:
        yield from part("clocks before", lambda: _clocks(cuda.pci_address, "before"))
        library = compile_chain(folder, cuda.compute_capability)

        def pairs(shape: tuple[int, int], how: GpuOptions) -> Pairs:
            return _pairs(library, shape, how, rounds, window_s)

        yield from part("sleeping wait", lambda: _bar(pairs(_LONG, GpuOptions("block")), "sleeping wait"))
        yield from part("spinning wait", lambda: _bar(pairs(_LONG, GpuOptions("spin")), "spinning wait"))
        yield from part("two in flight", lambda: _two(pairs, _LONG, "four kernels", bar=True))
        yield from part("8 tiny kernels", lambda: _for_information(pairs(_SHORT, GpuOptions("spin")), "8 tiny kernels"))
        yield from part("8 tiny kernels, two in flight", lambda: _two(pairs, _SHORT, "8 tiny kernels", bar=False))
        yield from part("8 tiny kernels in a CUDA graph", lambda: _graph(pairs(_SHORT, _IN_A_GRAPH)))
        yield from part("clocks after", lambda: _clocks(cuda.pci_address, "after"))
        yield from part("ONNX Runtime by the agent", lambda: _onnxruntime(folder, rounds, window_s))


_OUR_STAGES = ("latency", "h2d", "compute", "enqueue")
_IN_A_GRAPH = GpuOptions("spin", cuda_graph="on")


def part(what: str, run: Callable[[], Iterable[Figure]]) -> list[Figure]:
    """The figures of a part; where it cannot run, one line that says why."""
    try:
        return list(run())
    except Exception as error:
        logging.exception("gpu: %s was not measured", what)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return [Figure(what, None, "", note=reason)]


def _bar(pairs: Pairs, how: str) -> list[Figure]:
    count = len(pairs.ours.latency)
    return [
        Figure(f"p50 by the agent, {how}", median(pairs.ours.latency), "ms", note=f"median of {count} windows"),
        Figure(f"p50 by a C++ loop, {how}", median(pairs.native.latency), "ms", note="the same kernels, in turns"),
        Figure(f"difference, {how}", abs(pairs.excess("latency")), "%", at_most=1, note="median over pairs of windows"),
        Figure(f"wall clock by the agent, {how}", median(pairs.ours.wall), "ms", note="p50 of an inference"),
        Figure(f"wall clock by a C++ loop, {how}", median(pairs.native.wall), "ms", note="p50 of an inference"),
    ]


def _two(
    pairs: Callable[[tuple[int, int], GpuOptions], Pairs], shape: tuple[int, int], what: str, *, bar: bool
) -> list[Figure]:
    """Compute, as trtexec's GPU Compute Time, with two in flight; and how much more it is with one."""
    two, one = pairs(shape, GpuOptions("spin", inflight=2)), pairs(shape, GpuOptions("spin"))
    gap = (median(one.ours.compute) / median(two.native.compute) - 1) * 100
    differ = abs(two.excess("compute"))
    return [
        Figure(f"compute p50 by the agent, two in flight, {what}", median(two.ours.compute), "ms"),
        Figure(
            f"compute p50 by a C++ loop of trtexec's structure, {what}",
            median(two.native.compute),
            "ms",
            note="two in flight, in turns",
        ),
        Figure(f"difference of compute, two in flight, {what}", differ, "%", at_most=1 if bar else None),
        Figure(f"compute p50 by the agent, one in flight, {what}", median(one.ours.compute), "ms"),
        Figure(f"compute p50 by a C++ loop, one in flight, {what}", median(one.native.compute), "ms"),
        Figure(f"one in flight above trtexec's structure, {what}", gap, "%", note=why_above(one.ours)),
        Figure(f"enqueue p50 by the agent, two in flight, {what}", median(two.ours.enqueue), "ms"),
        Figure(f"enqueue p50 by a C++ loop of trtexec's structure, {what}", median(two.native.enqueue), "ms"),
    ]


def why_above(one: Loop) -> str:
    """What compute holds with one inference in flight, beside the work. Launches only where the copy in does not hide
    them."""
    passage = "the passage from the copy to the first kernel"
    hidden = median(one.h2d) > median(one.enqueue)
    return f"{passage}; launches are over before the copy is" if hidden else f"{passage}, and launches"


def _for_information(pairs: Pairs, what: str) -> list[Figure]:
    return [
        Figure(f"p50 by the agent, {what}", median(pairs.ours.latency), "ms"),
        Figure(f"p50 by a C++ loop, {what}", median(pairs.native.latency), "ms", note="the same kernels, in turns"),
        Figure(f"wall clock by the agent, {what}", median(pairs.ours.wall), "ms"),
        Figure(f"wall clock by a C++ loop, {what}", median(pairs.native.wall), "ms"),
    ]


def _graph(pairs: Pairs) -> list[Figure]:
    return [Figure("p50 by the agent, 8 tiny kernels in a CUDA graph", median(pairs.ours.latency), "ms")]


def _clocks(pci_address: str, when: str) -> list[Figure]:
    """Right after work, where the GPU has not come to rest."""
    with closing(ClockSensors(pci_address=pci_address)) as sensors:
        reading = sensors.read()
    if reading.gpu is None or reading.gpu.current_hz is None:
        raise BrokenRun("NVML does not tell the GPU's clock")
    slowed = ", ".join(sorted(reading.slowed)) or "not slowed"
    note = f"{describe_clocks([reading])['clocks_before']}; {slowed}"
    return [Figure(f"GPU clock {when}", reading.gpu.current_hz / 1e6, "MHz", note=note)]


def _pairs(library: ctypes.CDLL, shape: tuple[int, int], how: GpuOptions, rounds: int, window_s: float) -> Pairs:
    with _opened(library, shape, how) as (session, chain):
        session.bind({"x": chain.values})
        session.infer()
        spin = how.wait == "spin"
        expected, native = chain.expected(), chain.time_natively(10, spin=spin, inflight=how.inflight)
        _must_agree(session.outputs()["y"], expected)
        _must_agree(native.result, expected)
        count = max(20, int(window_s * 1e3 / float(np.median(native.wall_ms))))
        pairs = Pairs()

        def ours() -> None:
            recording = measure_alone(
                session, MeasureLimits(0.0, window_s, 1.5 * window_s), lambda phase, fraction, detail: None
            )
            stages = {name: np.concatenate(blocks) for name, blocks in recording.stages.items()}
            pairs.ours.add(wall=stages["e2e"], **{name: stages[name] for name in _OUR_STAGES})

        def natively() -> None:
            found = chain.time_natively(count, spin=spin, inflight=how.inflight)
            pairs.native.add(
                latency=found.latency_ms, compute=found.compute_ms, enqueue=found.enqueue_ms, wall=found.wall_ms
            )

        _in_turns(ours, natively, rounds)
        return pairs


def _in_turns(first: Callable[[], None], second: Callable[[], None], rounds: int) -> None:
    """A B, B A, A B: neither is always the one that finds the other's traces."""
    for number in range(rounds):
        for step in (first, second) if number % 2 == 0 else (second, first):
            step()


@contextmanager
def opened_chain(library: ctypes.CDLL) -> Iterator[GpuSession]:
    """The agent's session over the long chain, with its inputs bound, for others to time."""
    with _opened(library, _LONG, GpuOptions("spin")) as (session, chain):
        session.bind({"x": chain.values})
        yield session


def compiled_chain(folder: Path) -> Path:
    """The chain's library. Raises BrokenRun where there is no GPU with pycuda, or no nvcc."""
    missing = missing_for_gpu()
    if missing:
        raise BrokenRun(f"this machine lacks {' and '.join(missing)}")
    with closing(Cuda.open()) as cuda:
        compile_chain(folder, cuda.compute_capability)
    return folder / "libchain.so"


def missing_for_gpu() -> list[str]:
    return [what for what, there in (("a GPU with pycuda", is_usable()), ("nvcc", nvcc())) if not there]


@contextmanager
def _opened(library: ctypes.CDLL, shape: tuple[int, int], how: GpuOptions) -> Iterator[tuple[GpuSession, Chain]]:
    cuda = Cuda.open(wait=how.wait)
    chain = Chain(library, *shape)
    with closing(GpuSession(chain, cuda, how)) as session:
        if how.wants_graph:
            session.bind({"x": chain.values})
            if session.describe()["cuda_graph"] != "on":
                raise BrokenRun(f"no CUDA graph: {session.describe()['why_no_cuda_graph']}")
        yield session, chain


def _must_agree(got: NDArray[np.float32], expected: NDArray[np.float64]) -> None:
    error = float(np.linalg.norm(got - expected) / np.linalg.norm(expected))
    if not error < _CLOSE:
        raise BrokenRun(f"the chain's answer is off by {error:.2e}")


def _onnxruntime(folder: Path, rounds: int, window_s: float) -> list[Figure]:
    """For information. Raises ImportError where it has no CUDA provider."""
    from benchmarks.gpuort import Twins

    twins = Twins(folder)
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
