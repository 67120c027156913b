"""Two variants held against each other in the same processes: who with whom, and what each process said."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pair:
    """Two variants of a job, by their keys; the candidate is held against the base."""

    base: str
    candidate: str

    @property
    def name(self) -> str:
        return f"{self.candidate} vs {self.base}"


@dataclass(frozen=True)
class RegressionLimit:
    """The most that a metric may get worse: a share of it, or of a share's own points (`in_points`)."""

    metric: str
    limit: float
    in_points: bool = False

    def __str__(self) -> str:
        return f"{self.metric} {self.limit * 100:g}{'pt' if self.in_points else '%'}"


@dataclass(frozen=True)
class PairedRun:
    """One fresh process. `ratios` are the second subject's over the first's, by the names of jetfleet.metrics."""

    index: int
    second_loaded_first: bool
    ratios: Mapping[str, float] = field(default_factory=dict)
    left_out: str = ""  # why they do not count


@dataclass(frozen=True)
class Interleaved:
    """All processes of an INTERLEAVED task, and the rule by which they were ended."""

    runs: tuple[PairedRun, ...]
    looks: tuple[int, ...]
    margin: float
    confidence: float
    stopped: str = ""
