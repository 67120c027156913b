"""Units of scheduling and their states: tasks, attempts, engines, devices. What happened, never what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from controller.model.facts import Facts
from controller.model.job import Artifact, Condition, Lowering, Precision, TensorSpec, Variant
from controller.model.result import Schedule


class TaskKind(Enum):
    BUILD = "BUILD"
    BENCH = "BENCH"


class TaskState(Enum):
    WAITING = "WAITING"  # for an engine, or for a device to be bound
    READY = "READY"
    LEASED = "LEASED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    SKIPPED = "SKIPPED"  # because of another task, or because its board was removed
    SUPERSEDED = "SUPERSEDED"  # a BUILD that nobody needs any more, and that nobody stopped: no part of any outcome


class SubmitState(Enum):
    """How far a job is written. Large ones are written in many transactions."""

    WRITING = "WRITING"  # nobody may see it
    RELEASING = "RELEASING"  # accepted; its tasks are about to become READY
    DONE = "DONE"
    REMOVED = "REMOVED"  # nobody sees it; what told of an engine that is still there stays with it


class BlobState(Enum):
    STORED = "STORED"
    SOUGHT = "SOUGHT"  # it was there, its bytes are gone or damaged, and agents are asked for it
    LOST = "LOST"  # and none of them has it


class AttemptState(Enum):
    LEASED = "LEASED"
    RUNNING = "RUNNING"
    COMMITTED = "COMMITTED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"  # the agent was not heard from, or came back without it
    REBOOTED = "REBOOTED"
    RETURNED = "RETURNED"
    CANCELLED = "CANCELLED"


class FailureKind(Enum):
    BAD_INPUT = "BAD_INPUT"
    BUILD_REFUSED = "BUILD_REFUSED"
    CRASHED = "CRASHED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIME_LIMIT = "TIME_LIMIT"
    DEVICE_FAULT = "DEVICE_FAULT"
    INFRASTRUCTURE = "INFRASTRUCTURE"
    SETTINGS_REFUSED = "SETTINGS_REFUSED"


class JobState(Enum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True)
class Recipe:
    """All that decides what an engine is, but the device: half of its key, and the content of a BUILD.

    `placement` is cpu, gpu or dla: an engine built for one DLA core is loaded on any. Where an input has a range, its
    `shape` is the range's opt, so that one engine serves every batch size in it.
    """

    runtime: str
    runtime_version: str
    precision: Precision
    lowering: Lowering
    placement: str
    inputs: tuple[TensorSpec, ...]
    artifacts: tuple[Artifact, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    repeat: int = 0  # which of several builds of the same this is: each is an engine of its own


@dataclass(frozen=True)
class DeviceClass:
    """Boards that may share an engine. `fields` are the facts that decide it, for people and for the key."""

    key: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Device:
    """A device as planning and scheduling see it."""

    id: str
    name: str
    facts: Facts
    bench_domain: str = ""
    online: bool = True
    cordoned: str = ""


@dataclass(frozen=True)
class PlannedBuild:
    """An engine that somebody has to build."""

    engine_key: str
    recipe: Recipe
    device_class: DeviceClass


@dataclass(frozen=True)
class PlannedSubject:
    """One thing that a BENCH runs: the variant's engine on one placement. Without a device there is no engine yet."""

    placement: str
    engine_key: str | None = None
    variant_key: str = ""  # empty: that of its BENCH


@dataclass(frozen=True)
class PlannedBench:
    """A variant on a device, or (device_id None) on any device that matches. Several subjects run at the same time, or
    in turns: then they are of two variants, and `variant_key` is the base's.
    """

    variant_key: str
    device_id: str | None
    subjects: tuple[PlannedSubject, ...]
    conditions: tuple[Condition, ...] = ()
    refusal: str = ""  # it fails at once, with this reason
    schedule: Schedule = Schedule.ALONE
    name: str = ""  # of the task; empty: its variant's key


@dataclass(frozen=True)
class Plan:
    """What a job needs. `builds` holds every engine wanted; those whose key is in `reused` need no new task."""

    builds: tuple[PlannedBuild, ...]
    benches: tuple[PlannedBench, ...]
    reused: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()  # devices left out, and why


@dataclass(frozen=True)
class Failure:
    """How an attempt ended badly; unknown fields are None."""

    kind: FailureKind
    message: str
    phase: str = ""
    exit_code: int | None = None
    signal: str | None = None
    peak_rss_bytes: int | None = None


@dataclass(frozen=True)
class AttemptEnd:
    """An attempt in the history of a task: how it ended, with what, where."""

    state: AttemptState
    device_id: str
    failure: FailureKind | None = None


@dataclass(frozen=True)
class Progress:
    """Where an attempt is; `fraction` is of the phase, 0 to 1, where known."""

    phase: str = ""
    fraction: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class Demand:
    """All that decides which devices can take a task, but a device that it is bound to: tasks of one demand are alike.

    `runtime_version` and `class_key` are a BUILD's, `conditions` and `variant` a BENCH's.
    """

    kind: TaskKind
    runtime: str
    placement: str
    runtime_version: str = ""
    class_key: str = ""
    conditions: tuple[Condition, ...] = ()
    variant: Variant | None = None
    second: Variant | None = None  # the other one of two in turns


@dataclass(frozen=True)
class Candidate:
    """A READY task as the scheduler sees it. `job_id` is the job, or for a BUILD the first job that asked."""

    task_id: int
    kind: TaskKind
    job_id: int
    priority: int
    runtime: str
    runtime_version: str  # a BUILD's; empty for a BENCH, whose engine decides
    placement: str
    class_key: str  # a BUILD's device class
    device_id: str | None  # a BENCH bound to a device
    conditions: tuple[Condition, ...] = ()  # a BENCH that any matching device may take
    history: tuple[AttemptEnd, ...] = ()
    variant: Variant | None = None  # a BENCH's, where more than runtime and placement decides who can run it
    second: Variant | None = None  # of a BENCH of two in turns: the device must be able to run it, too
