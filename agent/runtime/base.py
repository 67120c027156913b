"""What every runtime offers: make an engine, load one, and run it one inference at a time.

The measuring loop owns the clock readings and the loop; a session only infers. Whatever a session needs per inference
(CUDA events, pinned buffers) it takes in `prepare`, and it reads it back in `collect`, so that nothing is allocated or
synchronised for bookkeeping inside the timed window.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.runtime.arrays import Tensor
from jetfleet.errors import BadInput, Infrastructure, TaskFailed
from jetfleet.v1.task_pb2 import Artifact, ArtifactRole, BuildTask, Built, Provenance, Subject

# Says where the work is: phase, share of it done (None: unknown), one short line for people.
Report: TypeAlias = Callable[[str, "float | None", str], None]
# Where the file of an artifact lies.
Locate: TypeAlias = Callable[[Artifact], Path]


class BuildRefused(TaskFailed):
    """The builder said no, and would again."""


class DeviceFault(Infrastructure):
    """The board, its driver or its runtime is not well."""


@dataclass(frozen=True)
class RoundRecord:
    """What a session recorded during a round, beside the host clock.

    `stages_ms` maps a stage (h2d, compute, d2h, enqueue) to one value per inference; a stage that does not exist on
    this runtime is absent, not zero. `latency_ms`, where given, is the latency by the device's own clock and replaces
    the host's readings (TensorRT: h2d + compute + d2h by CUDA events). `e2e_ms`, where given, is each inference's wall
    clock, of a session whose `infer` returns before its own inference is over.
    """

    stages_ms: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    latency_ms: NDArray[np.float64] | None = None
    e2e_ms: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Kernel:
    """One node of an engine as it ran: its operator, and numpy's name of the type that it computed in."""

    op: str
    type: str


@dataclass(frozen=True)
class LayerTime:
    """Mean time of one layer in a profiling run of its own: good for shares, never for the engine's latency."""

    name: str
    ms: float


@dataclass(frozen=True)
class File:
    """A file that a runtime leaves for people or for the next build; `name` is what they will see."""

    role: "ArtifactRole.ValueType"
    name: str
    path: Path


@dataclass(frozen=True)
class BuildResult:
    """What a build left beside its engine. `built` is what the builder knows of it: neither engine nor build time."""

    built: Built = field(default_factory=Built)
    files: tuple[File, ...] = ()


@dataclass(frozen=True)
class Ceilings:
    """The best rates of a device, measured on it, by their names in jetfleet.metrics; `how` is for the record."""

    rates: Mapping[str, float]
    how: str


@dataclass(frozen=True)
class Inspection:
    """What really runs in an engine. Empty where nothing can be known."""

    kernels: tuple[Kernel, ...] = ()
    layers: tuple[LayerTime, ...] = ()
    dla_time_share: float | None = None  # of the layers' time; None: no DLA in it
    files: tuple[File, ...] = ()
    runs: int = 1  # inferences that the times of layers are means of
    aux_streams: int = 0  # beside the main one: where there are any, layers run side by side, and their times overlap
    ceilings: Ceilings | None = None


class Session(Protocol):
    """An engine in memory, ready to infer. Not thread-safe: made, used and closed in one thread.

    Only `clock` may be read from another one, while nothing else is called; and `another` is called in another one.
    """

    def clock(self) -> int:
        """Nanoseconds from an arbitrary start: the host's steady clock, or a simulated one."""

    def wait_until(self, at_ns: int) -> None:
        """Returns at that time by `clock`, or at once if it has passed."""

    def another(self) -> "Session":
        """One more session of the same engine, for the thread that calls, to infer at the same time; nothing is bound
        in it yet. It is closed before this one. Raises what loading raises."""

    def bind(self, inputs: Mapping[str, Tensor]) -> None:
        """Copies inputs to where the engine reads them. Raises BadInput if they do not fit the engine."""

    def infer(self) -> None:
        """One inference on the bound inputs; returns when its outputs are there, or, where a session keeps two in
        flight, when those of the one before are."""

    def outputs(self) -> dict[str, Tensor]:
        """Copies of the last inference's outputs, in the engine's order; waits for them."""

    def prepare(self, count: int) -> None:
        """Called before a round of at most `count` inferences: allocate now what they will need."""

    def collect(self) -> RoundRecord:
        """Called after a round: what was recorded since `prepare`, one value for each inference that was done."""

    def describe(self) -> dict[str, str]:
        """The configuration that decides speed (threads, spinning, provider), for the environment record."""

    def close(self) -> None:
        """Gives the engine's memory back."""


class Runtime(Protocol):
    """One way of making and running engines."""

    name: str
    provenance: "Provenance.ValueType"

    def version(self) -> str:
        """Full version; engines are only valid under the one they were built with."""

    def build(self, task: BuildTask, model_dir: Path, out: Path, locate: Locate, report: Report) -> BuildResult:
        """Writes the engine of the model in `model_dir` to `out`; what it writes beside it lies beside `out`.

        `locate` finds the task's other files: calibration data, timing caches. Raises BadInput for a model that cannot
        be read, BuildRefused with the builder's words for one it will not take.
        """

    def load(self, engine: Path, subject: Subject, locate: Locate) -> Session:
        """Raises BadInput if the engine was made for something else, DeviceFault if it does not load."""

    def inspect(self, engine: Path, subject: Subject, inputs: Mapping[str, Tensor], scratch: Path) -> Inspection:
        """What really runs, from a few inferences in a session of its own.

        Never called while a timed session is open. `scratch` is an empty folder for what the runtime writes.
        """


def refuse_other_version(subject: Subject, version: str) -> None:
    """Raises BadInput for an engine that another version of its runtime built: it might load, and be something else."""
    if subject.runtime_version and subject.runtime_version != version:
        raise BadInput(
            f"the engine was built by {subject.runtime} {subject.runtime_version}, this device runs {version}",
            where=subject.variant_key,
            expected=f"an engine of {subject.runtime} {version}",
            hint="build it again on this version: submit the job once more",
        )


def model_file(task: BuildTask, roles: tuple[int, ...]) -> str:
    """The file name of the one graph among the artifacts. Raises BadInput if there is none, or more than one."""
    names = [item.name for item in task.artifacts if item.role in roles]
    if len(names) != 1:
        raise BadInput(f"a build needs exactly one model, not {len(names)}", where=task.engine_key[:12])
    return names[0]
