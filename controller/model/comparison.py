"""What comes out of holding measurements against each other: answers with their reasons, and the spread of boards."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from controller.model.result import Estimate, Provenance, Row


class Axis(Enum):
    """What differs between a row and its baseline, and therefore what the answer is about."""

    DEVICE = "device"
    VARIANT = "variant"
    JOB = "job"


class Answer(Enum):
    FASTER = "FASTER"
    SLOWER = "SLOWER"
    BETTER = "BETTER"  # as FASTER, of a metric that is not a time
    WORSE = "WORSE"
    SAME = "SAME"
    CANNOT_TELL = "CANNOT_TELL"
    INCOMPARABLE = "INCOMPARABLE"  # the numbers mean different things, or there is nothing to hold against
    NOT_VALID = "NOT_VALID"  # one of the two may not be trusted


class Source(Enum):
    """What a difference was measured by, best first."""

    INTERLEAVED = "INTERLEAVED"  # in turns inside the same processes: what drifts, drifts for both
    RUNS = "RUNS"  # each by itself, in several fresh processes
    ONE_RUN = "ONE_RUN"  # one of them in one process only, which knows nothing of the next one
    ITEMS = "ITEMS"  # a share of right answers on the same data, which every process gives


@dataclass(frozen=True)
class NoiseFloor:
    """The noise floor: two benches of the very same thing differ by more than `share` (0.02 is 2 %) in 1 % of cases."""

    share: float
    source: str


@dataclass(frozen=True)
class Effect:
    """One metric of a row against its baseline's.

    `change` is the ratio, row over baseline; of shares (`in_points`) the difference, 0.01 is one point. `value` and
    `baseline_value` are of one inference, and so is the ratio unless `per_item`: then each is divided by its batch.
    """

    metric: str
    value: float | None
    baseline_value: float | None
    change: Estimate
    source: Source | None = None
    in_points: bool = False
    per_item: bool = False
    p_value: float | None = None  # of no difference; None: there is no interval
    smallest: float | None = None  # the difference that would have been seen in four of five cases, as a share


@dataclass(frozen=True)
class Comparison:
    """One row against its baseline. `effect` is of the metric that the answer is about, `others` of those beside it."""

    row: Row
    baseline: Row | None
    answer: Answer
    reason: str
    effect: Effect | None = None
    others: tuple[Effect, ...] = ()
    floor: NoiseFloor | None = None
    notes: tuple[str, ...] = ()
    advice: str = ""  # what it would take to know
    adjusted_p: float | None = None  # p_value as it stands among all answers of the report

    @property
    def ratio(self) -> Estimate | None:
        """None: not compared."""
        return self.effect.change if self.effect else None


@dataclass(frozen=True)
class Spread:
    """How far equal boards differ: p50 in ms by device, of one engine under one set of circumstances.

    `label` names the variant, and of a concurrent task the subject.
    """

    model_name: str
    variant_key: str
    label: str
    provenance: Provenance
    p50_ms: Mapping[str, float]
    median_ms: float
    outliers: tuple[str, ...]
    reason: str  # how outliers were told, or why they could not be

    @property
    def min_ms(self) -> float:
        return min(self.p50_ms.values())

    @property
    def max_ms(self) -> float:
        return max(self.p50_ms.values())

    @property
    def relative(self) -> float:
        """The slowest board over the fastest, less 1."""
        return self.max_ms / self.min_ms - 1.0


@dataclass(frozen=True)
class ComparisonReport:
    """The whole answer; `baseline` is a variant key, a device's name or a job's id, by `by`."""

    by: Axis
    baseline: str
    comparisons: tuple[Comparison, ...]
    spreads: tuple[Spread, ...] = ()
    metric: str = "p50_ms"  # that the answers are about
    margin: float = 0.01  # within which two are the same
    false_alarms: float = 0.01  # the chance of any, among all answers
