"""What an agent is handed, and what it hands back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from controller.model.engine import Built
from controller.model.facts import Facts
from controller.model.interleaved import Interleaved
from controller.model.job import AccuracyMetric, Artifact, Measure, OutputCheck, Precision, TensorSpec
from controller.model.result import Flag, Measurement, Schedule
from controller.model.task import Failure, Recipe
from jetfleet.pipeline.steps import Pipeline


@dataclass(frozen=True)
class Subject:
    """One thing that runs inside a BENCH: a variant's engine, placed somewhere. `flags` are what its build left."""

    variant_key: str
    engine_key: str
    engine: Artifact
    placement: str
    streams: int
    batch: int
    runtime: str
    runtime_version: str
    precision: Precision
    inputs: tuple[TensorSpec, ...]
    artifacts: tuple[Artifact, ...]
    check: OutputCheck
    options: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    accuracy_output: str = ""
    pipeline: Pipeline | None = None
    accuracy_metrics: tuple[AccuracyMetric, ...] = ()


@dataclass(frozen=True)
class BuildWork:
    """An engine to make, with the timings that earlier builds of its device class left."""

    engine_key: str
    recipe: Recipe
    timing_caches: tuple[Artifact, ...] = ()


@dataclass(frozen=True)
class BenchWork:
    schedule: Schedule
    subjects: tuple[Subject, ...]
    measure: Measure


@dataclass(frozen=True)
class Lease:
    """The right to work on an attempt; the token fences it."""

    token: str
    task_id: int
    name: str
    time_limit_s: float
    work: BuildWork | BenchWork
    job_id: int = 0  # of a BUILD the job that asked first; 0: of none


@dataclass(frozen=True)
class Registration:
    """Who says hello. `held` are tokens whose results the agent still keeps."""

    device_id: str
    session_id: str
    boot_id: str
    hardware_serial: str
    bench_domain: str
    agent_version: str
    name: str
    facts: Facts
    held: tuple[str, ...]
    name_asked: bool = False  # somebody chose the name: it is honoured, or the registration refused
    enrolled: bool = False  # by the word of the transport: then the id is sure


@dataclass(frozen=True)
class Registered:
    """`lost` are held tokens that are not the device's, or no longer; `open` are those that it is to go on with."""

    device_name: str
    lost: tuple[str, ...]
    open: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """A success of a BENCH: a measurement of each subject, and of the whole where they ran at the same time."""

    measurements: tuple[Measurement, ...]
    interleaved: Interleaved | None = None


@dataclass(frozen=True)
class Returned:
    """The agent gave the task back, undone."""

    reason: str


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; `end` is what it made, or how it failed. `raw` is the message as it came.

    `unusable` says why what the agent sent cannot be taken; then `end` is a failure, and there is nothing else.
    """

    end: Built | Measured | Failure | Returned
    artifacts: tuple[Artifact, ...]
    peak_rss_bytes: int | None
    raw: bytes = b""
    unusable: str = ""


@dataclass(frozen=True)
class Committed:
    """`task_state` after the commit; `stale` says why it did not count, empty if it did."""

    task_state: str
    stale: str = ""


class Directive(Enum):
    """What to do with an open attempt."""

    CONTINUE = "CONTINUE"
    CANCEL = "CANCEL"
    LOST = "LOST"
