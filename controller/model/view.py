"""Jobs, tasks and devices as people see them: what the Control service answers, and the CLI prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.model.facts import Facts
from controller.model.job import Artifact, Condition
from controller.model.task import Failure, JobState, Progress, TaskKind, TaskState
from jetfleet.plural import counted


@dataclass(frozen=True)
class TaskView:
    """`device` is the bound or last tried one, empty if neither; `elapsed_s`, `logs`, `files`: of the last attempt."""

    id: int
    kind: TaskKind
    name: str
    state: TaskState
    device: str
    attempts: int
    progress: Progress | None
    failure: Failure | None
    because_of_task: int | None
    log_sha256: str
    elapsed_s: float | None
    logs: tuple[Artifact, ...] = ()
    files: tuple[Artifact, ...] = ()  # timelines and telemetry


@dataclass(frozen=True)
class JobView:
    """`tasks` is empty in listings. `eta_s` is the expected rest; None where unknown, and in listings."""

    id: int
    name: str
    state: JobState
    created_at: datetime
    tasks: tuple[TaskView, ...]
    done: int
    total: int
    retry_of: int | None = None
    deadline_at: datetime | None = None
    eta_s: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    submitted_by: str = ""  # empty: before there were users


@dataclass(frozen=True)
class PlannedTask:
    """One line of a dry run; `device` empty: chosen at claim. `reused`: a BUILD that needs no new work."""

    kind: TaskKind
    name: str
    device: str
    engine_key: str
    reused: bool
    boards: str = ""  # a BUILD's: what it is for, and how many of each are in the job


@dataclass(frozen=True)
class Submitted:
    """The answer to a submit; `job_id` 0 for a dry run."""

    job_id: int
    tasks: tuple[PlannedTask, ...]
    repeated_request: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TaskFile:
    """A task as `agent once` reads it, and the files that it needs; one may be named twice."""

    text: str
    files: tuple[Artifact, ...]


@dataclass(frozen=True)
class DeadLetter:
    """A result that could not be taken, kept as it came."""

    id: int
    task_id: int
    attempt_token: str
    reason: str
    received_at: datetime


@dataclass(frozen=True)
class DeviceView:
    """`dead_letters` are the newest of those that came from it. `late_results` came when they did not count any more,
    and are kept; `dropped_results`, of both kinds, made room for newer ones.
    """

    id: str
    name: str
    online: bool
    busy_with: str
    cordoned: str
    facts: Facts
    last_seen_at: datetime
    bench_domain: str
    agent_version: str
    paused: str = ""  # why its agent takes no work for now
    dead_letters: tuple[DeadLetter, ...] = ()
    certificate_issued_at: datetime | None = None  # None: it did not enrol, it came over the socket
    certificate_expires_at: datetime | None = None
    certificate_revoked_at: datetime | None = None
    refused: str = ""  # why it is turned away: it speaks another protocol
    disk_free_bytes: int | None = None  # where its agent keeps its state; None: not said
    clock_ahead_s: float | None = None  # of its wall clock over the controller's
    clock_bound_s: float = 0.0  # how far off that may be
    late_results: int = 0
    dropped_results: int = 0


@dataclass(frozen=True)
class Reason:
    """Why an unfinished task has not ended yet."""

    task_id: int
    task_name: str
    state: TaskState
    why: str


@dataclass(frozen=True)
class ControllerInfo:
    version: str
    state_dir: str
    embedded: bool
    user: str = ""  # whom the controller takes the caller for
    role: str = ""


@dataclass(frozen=True)
class ResultQuery:
    """All filters must hold; an empty one filters nothing. Newest first."""

    job_ids: tuple[int, ...] = ()
    conditions: tuple[Condition, ...] = ()
    variant_keys: tuple[str, ...] = ()
    limit: int = 1000
    before_id: int | None = None  # only measurements older than this one
    labels: Mapping[str, str] = field(default_factory=dict)  # only of jobs that have all of these
    except_job_ids: tuple[int, ...] = ()


def unreadable_lines(count: int) -> list[str]:
    """What is said below a listing of the rows that it had to leave out."""
    return [f"{counted(count, 'row')} cannot be read: controller fsck"] if count else []
