"""A made-up runtime: latencies drawn from a seed on a clock of its own, outputs taken from the reference.

It exists so that the whole system can be exercised on any machine, and so that children can be made to die in every
way that real ones do. Its numbers are marked SIMULATED and never meet measured ones.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import numpy as np

from agent.runtime.arrays import Tensor, read_npy
from agent.runtime.base import (
    BuildRefused,
    BuildResult,
    DeviceFault,
    Inspection,
    Locate,
    Report,
    RoundRecord,
    refuse_other_version,
)
from agent.runtime.waiting import wait_until
from jetfleet.errors import BadInput
from jetfleet.options import refuse_unknown_options
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_REFERENCE_OUTPUT, PROVENANCE_SIMULATED, BuildTask, Subject

_OPTIONS = frozenset(
    (
        *("latency_ms", "jitter", "run_spread", "after_idle", "seed", "build_s", "output_error"),
        *("fail", "fail_at", "fail_mb", "wall"),
    )
)
_PHASES = ("build", "load", "measure", "inspect")
_DRAWS = 4096


class _Options:
    """The task's options, read. Raises BadInput for one that is unknown or not a valid number."""

    def __init__(self, options: Mapping[str, str]) -> None:
        refuse_unknown_options(options, _OPTIONS, "simulated")
        self._options = options
        self.latency_ms = self._number("latency_ms", 2.0)  # median of one inference
        self.jitter = self._number("jitter", 0.01)  # standard deviation, relative to the latency
        self.after_idle = self._number("after_idle", 0.0)  # how much longer one takes that was waited for, relative
        # Standard deviation between processes, relative to the latency.
        self.run_spread = self._number("run_spread", self.jitter / 10)
        self.seed = int(self._number("seed", 0))
        self.build_s = self._number("build_s", 0.0)  # really slept
        self.output_error = self._number("output_error", 0.0)  # relative error of every output
        self.fail_mb = int(self._number("fail_mb", 64))  # oom gives up there; logspam writes that much
        self.wall = options.get("wall", "0") == "1"  # sleep for real instead of advancing the simulated clock
        self.fail = options.get("fail", "")
        self.fail_at = options.get("fail_at", "build")
        if self.fail and (self.fail not in _FAILURES or self.fail_at not in _PHASES):
            raise BadInput(f"fail={self.fail} fail_at={self.fail_at}", expected=f"{sorted(_FAILURES)} at {_PHASES}")

    def _number(self, name: str, default: float) -> float:
        text = self._options.get(name, "")
        try:
            value = float(text) if text else default
        except ValueError:
            value = float("nan")
        if not 0 <= value < float("inf"):
            raise BadInput(
                f"{text!r} is not a valid number", where=f"options.{name}", expected="a finite number, 0 or more"
            )
        return value

    def fail_if_asked(self, phase: str) -> None:
        """Dies as asked, if it is this phase's turn."""
        if self.fail and self.fail_at == phase:
            _FAILURES[self.fail](self.fail_mb, phase)


class SimulatedRuntime:
    """Builds nothing, runs nothing, and takes as long as it is told to."""

    name = "simulated"
    provenance = PROVENANCE_SIMULATED

    def version(self) -> str:
        return "1.0"

    def build(self, task: BuildTask, model_dir: Path, out: Path, locate: Locate, report: Report) -> BuildResult:
        options = _Options(task.options)
        report("build", 0.0, "pretending to build")
        options.fail_if_asked("build")
        time.sleep(options.build_s)
        out.write_text(json.dumps({"simulated": self.version(), "engine_key": task.engine_key}) + "\n")
        return BuildResult()

    def load(self, engine: Path, subject: Subject, locate: Locate) -> "SimulatedSession":
        refuse_other_version(subject, self.version())
        options = _Options(subject.options)
        options.fail_if_asked("load")
        try:
            json.loads(engine.read_text())["simulated"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput("not an engine of the simulated runtime", where=engine.name) from error
        wanted = {
            item.name: read_npy(locate(item), name=item.name)
            for item in subject.artifacts
            if item.role == ARTIFACT_ROLE_REFERENCE_OUTPUT
        }
        return SimulatedSession(options, wanted)

    def inspect(self, engine: Path, subject: Subject, inputs: Mapping[str, Tensor], scratch: Path) -> Inspection:
        _Options(subject.options).fail_if_asked("inspect")
        return Inspection()


class SimulatedSession:
    """Advances its own clock by a drawn latency per inference. `streams` numbers the sessions of one engine."""

    def __init__(
        self, options: _Options, wanted: Mapping[str, Tensor], *, streams: Iterator[int] | None = None
    ) -> None:
        self._options = options
        self._wanted = wanted
        self._streams = streams or count()
        self._rested = False
        # Of every process of a measurement, and of every stream, its own: they differ, as real ones do.
        run = int(os.environ.get("JETFLEET_RUN", "0"))
        random = np.random.default_rng([options.seed, run, next(self._streams)])
        of_this_run = options.latency_ms * max(random.normal(1.0, options.run_spread), 0.05)
        spread = random.normal(1.0, options.jitter, _DRAWS)
        drawn = of_this_run * 1e6 * np.maximum(spread, 0.05)
        self._latencies_ns = [max(1, int(value)) for value in drawn]
        self._inferences = 0
        self._now_ns = 0

    def clock(self) -> int:
        return time.perf_counter_ns() if self._options.wall else self._now_ns

    def wait_until(self, at_ns: int) -> None:
        self._rested = self.clock() < at_ns
        if self._options.wall:
            wait_until(at_ns)
        else:
            self._now_ns = max(self._now_ns, at_ns)

    def another(self) -> "SimulatedSession":
        """On a clock of its own, with latencies of its own: what runs beside it costs it nothing."""
        return SimulatedSession(self._options, self._wanted, streams=self._streams)

    def bind(self, inputs: Mapping[str, Tensor]) -> None:
        """Takes anything: the outputs do not depend on it."""

    def infer(self) -> None:
        latency_ns = self._latencies_ns[self._inferences % _DRAWS]
        self._inferences += 1
        if self._rested:
            latency_ns += int(latency_ns * self._options.after_idle)
            self._rested = False
        if self._options.wall:
            time.sleep(latency_ns / 1e9)
        else:
            self._now_ns += latency_ns

    def outputs(self) -> dict[str, Tensor]:
        return {name: self._perturbed(array) for name, array in self._wanted.items()}

    def prepare(self, count: int) -> None:
        self._options.fail_if_asked("measure")

    def collect(self) -> RoundRecord:
        return RoundRecord()

    def describe(self) -> dict[str, str]:
        return {"latency_ms": str(self._options.latency_ms), "jitter": str(self._options.jitter)}

    def close(self) -> None:
        """Holds nothing."""

    def _perturbed(self, array: Tensor) -> Tensor:
        error = self._options.output_error
        if not error:
            return np.array(array)
        if array.dtype.kind == "f":
            return (array * (1 + error)).astype(array.dtype)
        changed = np.random.default_rng(self._options.seed).random(array.shape) < error
        return np.where(changed, array + 1, array).astype(array.dtype)


def _abort(size_mb: int, phase: str) -> None:
    os.abort()


def _segfault(size_mb: int, phase: str) -> None:
    ctypes.string_at(0)


def _run_out_of_memory(size_mb: int, phase: str) -> None:
    held: list[bytes] = []
    while len(held) * 16 < size_mb:  # touched, so that it is really taken
        held.append(b"x" * (16 << 20))
    raise MemoryError(f"gave up after {size_mb} MiB")


def _hang(size_mb: int, phase: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def _raise_error(size_mb: int, phase: str) -> None:
    if phase == "build":
        raise BuildRefused("the simulated builder was told to refuse")
    raise DeviceFault("the simulated device was told to fail")


def _exit(size_mb: int, phase: str) -> None:
    sys.stderr.write("told to exit\n")
    sys.stderr.flush()
    os._exit(3)


def _spam_the_log(size_mb: int, phase: str) -> None:
    line = b"nothing of interest happens here, again and again\n"
    for _ in range(size_mb):
        os.write(1, line * ((1 << 20) // len(line)))


def _leave_children(size_mb: int, phase: str) -> None:
    """A few grandchildren that outlive everything, half of them in sessions of their own."""
    for index in range(4):
        subprocess.Popen(["sleep", "600"], start_new_session=index % 2 == 1).returncode = 0  # never waited for


_FAILURES = {
    "crash": _abort,
    "segfault": _segfault,
    "oom": _run_out_of_memory,
    "hang": _hang,
    "error": _raise_error,
    "exit": _exit,
    "logspam": _spam_the_log,
    "forkbomb-lite": _leave_children,
}
