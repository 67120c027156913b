"""What a report is made from: rows, what was decided about them, and the curves behind the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.model.comparison import ComparisonReport
from controller.model.engine import DlaPlacement
from controller.model.history import History
from controller.model.recommendation import RecommendationReport
from controller.model.result import Row


@dataclass(frozen=True)
class Distribution:
    """Of the samples of one measurement, ascending: `shares[i]` of them are at most `values_ms[i]`."""

    values_ms: tuple[float, ...]
    shares: tuple[float, ...]
    run_medians_ms: tuple[float, ...]  # one per fresh process


@dataclass(frozen=True)
class Series:
    """One channel of telemetry over a measurement; seconds from its begin."""

    channel: str
    unit: str
    seconds: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ReportJob:
    id: int
    name: str
    state: str
    submitted_by: str
    created_at: datetime
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ReportData:
    """`distributions` and `telemetry` are by measurement id, `placements` by engine key."""

    title: str
    made_at: datetime
    version: str
    jobs: tuple[ReportJob, ...]
    rows: tuple[Row, ...]
    compared: ComparisonReport | None = None
    recommended: RecommendationReport | None = None
    distributions: Mapping[int, Distribution] = field(default_factory=dict)
    telemetry: Mapping[int, tuple[Series, ...]] = field(default_factory=dict)
    placements: Mapping[str, DlaPlacement] = field(default_factory=dict)
    histories: tuple[History, ...] = ()
