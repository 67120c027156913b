"""How far a build is, from the phases that TensorRT's builder goes through (IProgressMonitor, 10.0 and later).

A phase has steps, and its step may be a phase of its own, named by TensorRT for people only. How long a step takes
nobody knows: what is told is the share of the builder's own steps, which never falls.
"""

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from agent.runtime.base import Report
from agent.runtime.tensorrt.log import implement

_SHALLOW = 3  # phases down to here are always told; below, only what moves the whole
_WORTH_REPORTING = 0.01


class _Phase:
    def __init__(self, name: str, parent: "_Phase | None", steps: int) -> None:
        self.name, self.parent, self.steps = name, parent, max(steps, 1)
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.done = 0  # steps
        self.within = 0.0  # of the step that is under way: what its finished phases were
        # A step may hold any number of phases: each is given half of what the ones before it left.
        self.share = 1.0 if parent is None else (1 - parent.within) / 2

    def fraction(self, below: float) -> float:
        return min(1.0, (self.done + min(1.0, self.within + below)) / self.steps)


class BuildProgress:
    """An IProgressMonitor's methods. `stop`: whether the build is to end; asked after every step."""

    def __init__(self, report: Report, stop: Callable[[], bool]) -> None:
        self._report, self._stop = report, stop
        self._lock = threading.Lock()  # TensorRT calls from several threads
        self._open: dict[str, _Phase] = {}
        self._reported = 0.0
        self._highest = 0.0

    def phase_start(self, phase_name: str, parent_phase: "str | None", num_steps: int) -> None:
        with self._lock:
            phase = _Phase(phase_name, self._open.get(parent_phase or ""), num_steps)
            self._open[phase_name] = phase
            self._tell(phase, always=phase.depth < _SHALLOW)

    def step_complete(self, phase_name: str, step: int) -> bool:
        with self._lock:
            phase = self._open.get(phase_name)
            if phase is not None:
                phase.done, phase.within = max(phase.done, step + 1), 0.0
                self._tell(phase, always=False)
        return not self._stop()

    def phase_finish(self, phase_name: str) -> None:
        with self._lock:
            phase = self._open.pop(phase_name, None)
            if phase is not None and phase.parent is not None:
                phase.parent.within = min(1.0, phase.parent.within + phase.share)
            if phase is not None:
                self._tell(phase.parent or phase, always=False)

    def _tell(self, phase: _Phase, *, always: bool) -> None:
        self._highest = max(self._highest, _overall(phase))
        if always or self._highest - self._reported >= _WORTH_REPORTING:
            self._reported = self._highest
            self._report("build", self._highest, _path(phase))


def _overall(phase: _Phase) -> float:
    """Share of the outermost phase that is done, as seen from one within it."""
    fraction = phase.fraction(0.0)
    while phase.parent is not None:
        fraction = phase.parent.fraction(phase.share * fraction)
        phase = phase.parent
    return fraction


def _path(phase: _Phase) -> str:
    """Outermost and innermost phase; what lies between is TensorRT's own business."""
    outermost = phase
    while outermost.parent is not None:
        outermost = outermost.parent
    return phase.name if outermost is phase else f"{outermost.name} / {phase.name}"


def make_monitor(trt: ModuleType, progress: BuildProgress) -> Any:
    """None on a TensorRT that reports no progress, and cannot be stopped while it builds."""
    interface = getattr(trt, "IProgressMonitor", None)
    if interface is None:
        return None
    return implement(interface, progress, ("phase_start", "step_complete", "phase_finish"))
