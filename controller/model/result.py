"""Measurements as the controller keeps and shows them, and the verdict that their flags derive."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from controller.model.facts import Facts
from controller.model.interleaved import Interleaved
from controller.model.job import Artifact, Lowering, Mode, Precision
from jetfleet.board_settings import POWER_MODE


class Schedule(Enum):
    """How the subjects of a BENCH share its time."""

    ALONE = "ALONE"
    INTERLEAVED = "INTERLEAVED"
    CONCURRENT = "CONCURRENT"


class Provenance(Enum):
    MEASURED = "MEASURED"
    SIMULATED = "SIMULATED"


class FlagKind(Enum):
    UNSTABLE = "UNSTABLE"
    TOO_FEW_SAMPLES = "TOO_FEW_SAMPLES"
    THROTTLED = "THROTTLED"
    CLOCK_DRIFT = "CLOCK_DRIFT"
    WRONG_OUTPUT = "WRONG_OUTPUT"
    UNCHECKED = "UNCHECKED"
    PRECISION_NOT_HONOURED = "PRECISION_NOT_HONOURED"
    INTERFERED = "INTERFERED"
    PAUSED = "PAUSED"
    DAMAGED = "DAMAGED"  # the stored row is not what was committed
    TACTICS_SKIPPED = "TACTICS_SKIPPED"  # the number is right; the engine could be faster
    WEAK_CALIBRATION = "WEAK_CALIBRATION"  # the number is right; the outputs could be better
    BOUND_BY_LAUNCHES = "BOUND_BY_LAUNCHES"  # the number is right, and more the host's than the GPU's
    NOT_REPEATABLE = "NOT_REPEATABLE"  # fresh processes differ more than can be used
    LAYERS_OVERLAP = "LAYERS_OVERLAP"  # the number is right; times of layers and a DLA's share of them overlap


# Worst first: the verdict names the first of these that is set.
DISQUALIFYING = (
    FlagKind.DAMAGED,
    FlagKind.WRONG_OUTPUT,
    FlagKind.PRECISION_NOT_HONOURED,
    FlagKind.PAUSED,
    FlagKind.INTERFERED,
    FlagKind.THROTTLED,
    FlagKind.CLOCK_DRIFT,
    FlagKind.TOO_FEW_SAMPLES,
    FlagKind.UNSTABLE,
    FlagKind.NOT_REPEATABLE,
    FlagKind.UNCHECKED,
)
# True of the engine, and no fault of the number.
REMARKS = (
    FlagKind.TACTICS_SKIPPED,
    FlagKind.WEAK_CALIBRATION,
    FlagKind.BOUND_BY_LAUNCHES,
    FlagKind.LAYERS_OVERLAP,
)
# They say that numbers moved, and nothing of what was measured: they hold alike for two that were timed in turns and
# cancel in the ratio of a process (one that stood still is left out), and a device's noise is made of them.
OF_THE_MACHINE = frozenset(
    {
        FlagKind.UNSTABLE,
        FlagKind.NOT_REPEATABLE,
        FlagKind.TOO_FEW_SAMPLES,
        FlagKind.INTERFERED,
        FlagKind.THROTTLED,
        FlagKind.CLOCK_DRIFT,
        FlagKind.PAUSED,
    }
)

VALID = "VALID"


def verdict(flags: Iterable[FlagKind]) -> str:
    """VALID, or the name of the worst disqualifying flag."""
    present = set(flags)
    return next((kind.value for kind in DISQUALIFYING if kind in present), VALID)


@dataclass(frozen=True)
class Flag:
    kind: FlagKind
    evidence: str


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; None where the samples cannot support it, and then `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


_UNKNOWN = Estimate(None)


@dataclass(frozen=True)
class Round:
    n: int
    p50_ms: float
    mean_ms: float
    run: int = 0  # index of the run that it was in


@dataclass(frozen=True)
class Run:
    """One fresh process of a BENCH. `within` is its p50's interval by its rounds; of the next run it knows nothing."""

    index: int
    n: int
    window_s: float
    warmup_s: float
    warmup_n: int
    load_s: float  # from the start of the process until it was ready to warm up
    metrics: Mapping[str, float] = field(default_factory=dict)  # by the names of jetfleet.metrics
    within_low_ms: float | None = None
    within_high_ms: float | None = None
    flags: tuple[Flag, ...] = ()
    samples: Artifact | None = None
    void_reason: str = ""  # why it counts for nothing and another took its place; empty: it counts


@dataclass(frozen=True)
class TensorCheck:
    """An output held against its reference; metrics that do not apply are None."""

    tensor: str
    passed: bool
    max_abs: float | None
    max_rel: float | None
    cosine: float | None
    snr_db: float | None
    top1_agreement: float | None
    equal_share: float | None
    detail: str
    norm_ratio: float | None = None
    worst_slice: str = ""  # "index 7 of axis 1"; empty: none was judged
    worst_slice_cosine: float | None = None
    worst_slice_norm_ratio: float | None = None
    weakness: str = ""  # why the reference can show few faults


@dataclass(frozen=True)
class Measurement:
    """One subject's numbers, or (subject_index None) the whole task's. Milliseconds and seconds of wall clock."""

    subject_index: int | None
    provenance: Provenance
    n: int
    window_s: float
    warmup_s: float
    warmup_n: int
    rounds: tuple[Round, ...]
    checks: tuple[TensorCheck, ...]
    accuracy_n: int
    flags: tuple[Flag, ...]
    samples: Artifact | None
    processes: int = 1
    metrics: Mapping[str, Estimate] = field(default_factory=dict)  # by the names of jetfleet.metrics
    circumstances: Mapping[str, str] = field(default_factory=dict)  # by the names of jetfleet.circumstances
    runs: tuple[Run, ...] = ()  # none: it was not timed, or by a version that knew no runs
    repeats: int | None = None  # benches that its intervals rest on; 0: noise is assumed; None: they are of its runs

    @property
    def counted_runs(self) -> tuple[Run, ...]:
        """Those that its numbers are of."""
        return tuple(run for run in self.runs if not run.void_reason)

    @property
    def sample_files(self) -> tuple[Artifact, ...]:
        """Every latency, a file for each run that has any."""
        of_runs = tuple(run.samples for run in self.runs if run.samples)
        return of_runs or ((self.samples,) if self.samples else ())

    @property
    def verdict(self) -> str:
        return verdict(flag.kind for flag in self.flags) if self.flags else VALID  # of a million rows most have none

    @property
    def p50_ms(self) -> Estimate:
        """The headline, which comparisons are about: the median latency of one inference."""
        return self.estimate("p50_ms")

    def estimate(self, name: str) -> Estimate:
        """A metric by its name in jetfleet.metrics; without a value where it was not measured."""
        return self.metrics.get(name, _UNKNOWN)

    def promised(self, name: str) -> Estimate:
        """As people are shown it: an interval holds what a repeat would print, and only a VALID row promises that."""
        found = self.estimate(name)
        return found if self.verdict == VALID else replace(found, low=None, high=None)

    def value(self, name: str) -> float | None:
        return self.estimate(name).value


_BUILD = re.compile(r"-build_\d+(?=-|$)")  # of `repeat_builds`, as the matrix writes it into a key


@dataclass(frozen=True)
class Row:
    """A measurement with what it was a measurement of, and the facts at the time.

    `placement` is the subject's, or of a whole task its variant's; such a row has no `engine_key`, and no `lowering`,
    where its subjects have several. Rows of one `task_id` were measured together.
    """

    measurement_id: int
    task_id: int
    job_id: int
    job_name: str
    model_name: str
    variant_key: str
    device: str
    runtime: str
    runtime_version: str
    precision: Precision
    batch: int
    placement: str
    engine_key: str
    measured_at: datetime
    facts: Facts
    measurement: Measurement
    schedule: Schedule = Schedule.ALONE
    mode: Mode = Mode.LATENCY
    lowering: Lowering | None = None
    options: Mapping[str, str] = field(default_factory=dict)  # of the variant
    model_sha256: str = ""  # of the ONNX graph that the variant was made from; its external data is not in it
    labels: Mapping[str, str] = field(default_factory=dict)  # of the job
    dims: Mapping[str, int] = field(default_factory=dict)  # sizes of the variant's named dimensions that are axes
    settings: Mapping[str, str] = field(default_factory=dict)  # of the board, that the variant asked for
    interleaved: Interleaved | None = None  # against the first subject of its task

    @property
    def power_mode(self) -> str | None:
        """What was in force while it was measured; of an older agent the device's fact of that session."""
        said = self.measurement.circumstances.get(POWER_MODE) or self.facts.get(POWER_MODE)
        return None if said is None else str(said)

    @property
    def part(self) -> str:
        """Which of the rows of a task this is: `whole task`, `subject 1`; empty for the one row of a subject ALONE."""
        if self.measurement.subject_index is None:
            return "whole task"
        return "" if self.schedule is Schedule.ALONE else f"subject {self.measurement.subject_index}"

    @property
    def built_variant(self) -> str:
        """The variant's key without which of its builds this is."""
        return _BUILD.sub("", self.variant_key)

    @property
    def label(self) -> str:
        """The variant, and which part of it: `tensorrt-fp16-b1-gpu+dla0 (subject 1: dla0)`."""
        if not self.part:
            return self.variant_key
        place = "" if self.measurement.subject_index is None else f": {self.placement}"
        return f"{self.variant_key} ({self.part}{place})"
