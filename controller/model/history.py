"""A metric over the jobs that measured it: the points, and where it changed."""

from dataclasses import dataclass
from datetime import datetime

from controller.model.result import Estimate, Provenance, Row


@dataclass(frozen=True)
class HistoryPoint:
    """One measurement. `value` is None where it has none; only VALID ones with a value are looked at for changes."""

    row: Row
    value: float | None

    @property
    def commit(self) -> str:
        return self.row.labels.get("commit", "")

    @property
    def measured_at(self) -> datetime:
        return self.row.measured_at


@dataclass(frozen=True)
class ChangePoint:
    """From `first` on the level is `ratio` times what it was since the change before."""

    last: HistoryPoint
    first: HistoryPoint
    ratio: Estimate
    adjusted_p: float  # of no change, among all places where it could have been
    better: bool


@dataclass(frozen=True)
class History:
    """Of one variant of one model on one device, set and timed in one way; oldest first."""

    model_name: str
    label: str
    device: str
    metric: str
    provenance: Provenance
    points: tuple[HistoryPoint, ...]
    changes: tuple[ChangePoint, ...] = ()
    alarm: str = ""  # why a gate that looks at these may be broken
