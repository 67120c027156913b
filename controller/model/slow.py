"""Why a result takes the time that it takes: what is looked at, and what is found."""

from dataclasses import dataclass
from enum import Enum

from controller.model.job import Workload
from controller.model.result import Row


class CauseKind(Enum):
    PRECISION = "precision not honoured"
    THROTTLING = "throttling"
    NEIGHBOURS = "neighbours"
    LAUNCHES = "launches"
    TACTICS = "tactics skipped"
    PIPELINE = "pipeline"
    COPIES = "copies"
    FALLBACK = "DLA fallback"
    ARITHMETIC = "arithmetic"
    MEMORY = "memory"
    BATCH = "batch too small"
    OVERHEAD = "overhead"
    LAYER = "one layer"


@dataclass(frozen=True)
class Cause:
    """`share` of the time where it is known; `step` is the one thing to try next."""

    kind: CauseKind
    evidence: str
    step: str
    share: float | None = None


@dataclass(frozen=True)
class SlowEvidence:
    """A result with what is known beside it: its work, its layers with their shares, layers that a DLA did not take."""

    row: Row
    workload: Workload | None = None
    layers: tuple[tuple[str, float], ...] = ()
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explained:
    """A result and its causes; none: nothing stands out in what is known, and `unknown` says what is not."""

    row: Row
    causes: tuple[Cause, ...]
    unknown: tuple[str, ...] = ()
