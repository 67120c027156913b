"""What became of a job's variants after an upgrade: the same job before and after, board by board."""

from dataclasses import dataclass
from enum import Enum

from controller.model.comparison import ComparisonReport
from controller.model.result import Estimate, Row


class UpgradeOutcome(Enum):
    """Worst first."""

    NO_LONGER_BUILDS = "NO_LONGER_BUILDS"
    NO_LONGER_RUNS = "NO_LONGER_RUNS"
    WRONG_OUTPUTS = "WRONG_OUTPUTS"
    SLOWER = "SLOWER"
    GONE = "GONE"  # nobody asked for it, or its task has not ended
    CANNOT_TELL = "CANNOT_TELL"
    FASTER = "FASTER"
    SAME = "SAME"
    NEW = "NEW"  # nothing to hold against: it did not run before


@dataclass(frozen=True)
class FailedVariant:
    """Why a variant has no row; `device` is empty where no board was found for it."""

    variant_key: str
    device: str
    in_build: bool
    reason: str


@dataclass(frozen=True)
class UpgradeLine:
    """One variant, or subject of it, on one board. `counts` are those that changed: `layers 120 -> 96`."""

    label: str
    device: str
    device_class: str  # after it, else before it
    outcome: UpgradeOutcome
    reason: str
    before: Row | None = None
    after: Row | None = None
    change: Estimate | None = None
    counts: tuple[str, ...] = ()


@dataclass(frozen=True)
class UpgradeReport:
    """`moved` are the facts that differ, and between what: `l4t 36.4 -> 38.2`. Lines are worst first."""

    old_job_id: int
    new_job_id: int
    metric: str
    moved: tuple[str, ...]
    lines: tuple[UpgradeLine, ...]
    compared: ComparisonReport | None = None

    def count(self, outcome: UpgradeOutcome) -> int:
        return sum(line.outcome is outcome for line in self.lines)
