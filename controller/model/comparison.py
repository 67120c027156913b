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
    SAME = "SAME"
    CANNOT_TELL = "CANNOT_TELL"
    INCOMPARABLE = "INCOMPARABLE"  # the numbers mean different things, or there is nothing to hold against
    NOT_VALID = "NOT_VALID"  # one of the two may not be trusted


@dataclass(frozen=True)
class NoiseFloor:
    """The noise floor: a difference up to `share` (0.02 is 2 %) says nothing about the thing that was compared."""

    share: float
    source: str


@dataclass(frozen=True)
class Comparison:
    """One row against its baseline. `ratio` is of p50, row over baseline, so below 1 is faster; None: not compared."""

    row: Row
    baseline: Row | None
    answer: Answer
    reason: str
    ratio: Estimate | None = None
    floor: NoiseFloor | None = None
    notes: tuple[str, ...] = ()


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
