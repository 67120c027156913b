"""What sampling the machine adds to a latency: windows with the sampler and without it by turns, in one process.

Without means that the sampler's process is stopped. On the CPU it reads a constructed AGX Orin, which has more channels
than a server, though not a board's slow buses; with a GPU what NVML tells of it. For information, too: a thread of this
process that reads the same, which is why the sampler is a process.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from agent.device.cudadriver import first_pci_address
from agent.runtime.base import Session
from agent.telemetry.channels.found import find_channels
from agent.telemetry.sampler import sample
from agent.telemetry.watch import SamplerProcess
from agent.work.measure import MeasureLimits, measure_alone
from benchmarks.figure import Figure, main
from benchmarks.gpu import compiled_chain, opened_chain, part
from benchmarks.harness import cpu_session
from benchmarks.processes import scratch
from testing.boards.jetson import jetson

_BAR = 0.5  # percent of p50


def disturbance(tiny: bool) -> Iterator[Figure]:
    pairs, window_s = (2, 0.05) if tiny else (40, 0.4)
    with scratch() as folder:
        board = jetson("agx-orin-64gb", "6.2").write(folder / "board")
        for what, threads in (("CPU, one thread", 1), ("CPU, all threads", len(os.sched_getaffinity(0)))):
            with closing(cpu_session(folder, str(threads))) as session:
                yield from _figures(session, what, board, "", pairs, window_s)
        yield from part("GPU", lambda: _on_gpu(folder, pairs, window_s))


def _on_gpu(folder: Path, pairs: int, window_s: float) -> Iterator[Figure]:
    """Raises BrokenRun where there is no GPU to measure on."""
    library = ctypes.CDLL(str(compiled_chain(folder)))
    with opened_chain(library) as session:
        yield from _figures(session, "GPU, by NVML", Path("/"), first_pci_address(), pairs, window_s)


def _figures(
    session: Session, what: str, root: Path, pci_address: str, pairs: int, window_s: float
) -> Iterator[Figure]:
    with _process(root, pci_address) as switch:
        without_ms, with_ms = _by_turns(session, switch, pairs, window_s)
    note = f"median over {pairs} pairs of windows of {window_s:g} s"
    yield Figure(f"p50 without the sampler, {what}", median(without_ms), "ms")
    yield Figure(f"p50 with the sampler, {what}", median(with_ms), "ms")
    yield Figure(f"the sampler adds, {what}", _added(without_ms, with_ms), "% of p50", at_most=_BAR, note=note)
    without_ms, with_ms = _by_turns(session, _Threads(root, pci_address).switch, max(2, pairs // 4), window_s)
    note = "for information: the same by a thread of the measuring process"
    yield Figure(f"a thread would add, {what}", _added(without_ms, with_ms), "% of p50", note=note)


def _added(without_ms: list[float], with_ms: list[float]) -> float:
    """Percent, median over pairs; what is faster with it adds nothing."""
    ratios = [sampled / alone for alone, sampled in zip(without_ms, with_ms, strict=True)]
    return max(0.0, (median(ratios) - 1) * 100)


def _by_turns(
    session: Session, switch: Callable[[bool], None], pairs: int, window_s: float
) -> tuple[list[float], list[float]]:
    """Without, with, with, without: neither is always the one that comes first."""
    limits = MeasureLimits(warmup_s=0.0, min_s=window_s, max_s=1.5 * window_s)
    found: dict[bool, list[float]] = {False: [], True: []}
    for number in range(pairs):
        for is_on in (False, True) if number % 2 == 0 else (True, False):
            switch(is_on)
            recording = measure_alone(session, limits, lambda phase, fraction, detail: None)
            found[is_on].append(float(np.median(np.concatenate(recording.rounds))))
    switch(False)
    return found[False], found[True]


@contextmanager
def _process(root: Path, pci_address: str) -> Iterator[Callable[[bool], None]]:
    sampler = SamplerProcess(root, pci_address=pci_address)
    sampler.start()
    sampler.wait_ready()

    def switch(is_on: bool) -> None:
        sampler.send_signal(signal.SIGCONT if is_on else signal.SIGSTOP)

    try:
        yield switch
    finally:
        switch(True)
        sampler.stop()


class _Threads:
    """The same loop in a thread, begun anew each time it is switched on."""

    def __init__(self, root: Path, pci_address: str) -> None:
        self._found = find_channels(root, pci_address=pci_address)
        self._pool = ThreadPoolExecutor(1)
        self._ended = threading.Event()

    def switch(self, is_on: bool) -> None:
        self._ended.set()
        self._pool.submit(int).result()
        if is_on:
            self._ended = threading.Event()
            self._pool.submit(sample, self._found.sensors, self._ended.wait)


if __name__ == "__main__":
    main("disturbance", disturbance)
