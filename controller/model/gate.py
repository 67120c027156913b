"""What a gate says of a job against its baseline: cell by cell, and in all."""

from dataclasses import dataclass
from enum import Enum

from controller.model.comparison import Comparison
from controller.model.interleaved import RegressionLimit


class CellVerdict(Enum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    CANNOT_TELL = "CANNOT_TELL"


class Stage(Enum):
    """How much a gate may do while people learn to believe it."""

    SHADOW = "shadow"  # it is measured and reported, and never red
    WARN = "warn"  # it is reported as a warning
    BLOCK = "block"  # red is red


class OnDoubt(Enum):
    """What becomes of a gate that cannot tell."""

    FAIL = "fail"
    WARN = "warn"
    LET_THROUGH = "pass"


@dataclass(frozen=True)
class GateCell:
    limit: RegressionLimit
    comparison: Comparison
    verdict: CellVerdict
    reason: str


@dataclass(frozen=True)
class GateReport:
    """`missing`: variants and boards of the baseline that the job has no result of."""

    job_id: int
    baseline_id: int
    baseline_name: str  # empty: a job by its number
    cells: tuple[GateCell, ...]
    stage: Stage
    on_doubt: OnDoubt
    interleaved: bool
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def count(self, verdict: CellVerdict) -> int:
        return sum(cell.verdict is verdict for cell in self.cells)

    @property
    def verdict(self) -> CellVerdict:
        """The worst of its cells; no cells at all cannot tell anything."""
        if self.count(CellVerdict.FAILED):
            return CellVerdict.FAILED
        if self.count(CellVerdict.CANNOT_TELL) or self.missing or not self.cells:
            return CellVerdict.CANNOT_TELL
        return CellVerdict.PASSED

    @property
    def is_red(self) -> bool:
        if self.stage is not Stage.BLOCK:
            return False
        doubtful = self.verdict is CellVerdict.CANNOT_TELL and self.on_doubt is OnDoubt.FAIL
        return self.verdict is CellVerdict.FAILED or doubtful
