"""Fake sessions: on clocks of their own with scripted latencies, so that what the loop does with them is exact."""

import gc
from collections.abc import Callable, Mapping

import numpy as np

from agent.runtime.arrays import Tensor
from agent.runtime.base import RoundRecord


class Scripted:
    """A session on a clock of its own; the latency in ms is a function of the time in s."""

    def __init__(self, latency_ms: Callable[[float], float], *, bookkeeping_ms: float = 0.0) -> None:
        self._latency_ms = latency_ms
        self._bookkeeping_ns = int(bookkeeping_ms * 1e6)
        self.now_ns = 0
        self.prepared: list[int] = []
        self.done = 0  # inferences since the last prepare
        self.collector_was_on: list[bool] = []

    def clock(self) -> int:
        return self.now_ns

    def wait_until(self, at_ns: int) -> None:
        self.now_ns = max(self.now_ns, at_ns)

    def another(self) -> "Scripted":
        return type(self)(self._latency_ms)

    def bind(self, inputs: Mapping[str, Tensor]) -> None: ...

    def infer(self) -> None:
        self.now_ns += int(self._latency_ms(self.now_ns / 1e9) * 1e6)
        self.done += 1
        self.collector_was_on.append(gc.isenabled())

    def outputs(self) -> dict[str, Tensor]:
        return {}

    def prepare(self, count: int) -> None:
        self.prepared.append(count)
        self.done = 0
        self.now_ns += self._bookkeeping_ns

    def collect(self) -> RoundRecord:
        return RoundRecord()

    def describe(self) -> dict[str, str]:
        return {}

    def close(self) -> None: ...


class WithEvents(Scripted):
    """Like a CUDA session: the device's clock says less than the host's, and the stages add up to it."""

    def collect(self) -> RoundRecord:
        stages = {"h2d": 0.25, "compute": 0.75, "d2h": 0.25, "enqueue": 0.1}
        made = {name: np.full(self.done, ms) for name, ms in stages.items()}
        return RoundRecord(made, made["h2d"] + made["compute"] + made["d2h"])


def silent(phase: str, fraction: float | None, detail: str) -> None: ...


def noisy(level: float, spread: float, *, seed: int = 0) -> Callable[[float], float]:
    random = np.random.default_rng(seed)
    return lambda now: level * (1 + spread * random.standard_normal())
