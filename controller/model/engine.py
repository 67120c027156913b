"""Engines: what a build left and told, and an engine as people see it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from controller.model.job import Artifact
from controller.model.result import Flag, FlagKind
from controller.model.task import DeviceClass, Recipe


@dataclass(frozen=True)
class Fallback:
    """A layer that a DLA does not take; `type` is TensorRT's word."""

    layer: str
    type: str
    reason: str


@dataclass(frozen=True)
class DlaPlacement:
    """Where the layers of an engine run that asked for a DLA; `subgraphs` are contiguous regions on it."""

    layers_on_dla: int
    layers_on_gpu: int
    subgraphs: int
    fallbacks: tuple[Fallback, ...] = ()


@dataclass(frozen=True)
class TimingCacheUse:
    """Timings of earlier builds: digests of what was `handed` and combined, and how many layers were found there."""

    handed: tuple[str, ...] = ()
    hits: int | None = None
    misses: int | None = None


@dataclass(frozen=True)
class BuildReport:
    """What a builder told of its work; None is what this builder does not tell."""

    peak_rss_bytes: int | None = None
    peak_device_bytes: int | None = None
    device_memory_bytes: int | None = None
    tactics_skipped: int | None = None
    timing_cache: TimingCacheUse | None = None
    dla: DlaPlacement | None = None
    warnings: tuple[str, ...] = ()

    def flags(self) -> Iterator[Flag]:
        """What every measurement of this engine must say."""
        if self.tactics_skipped:
            were = "tactic was" if self.tactics_skipped == 1 else "tactics were"
            evidence = f"{self.tactics_skipped} {were} skipped for lack of memory while building"
            yield Flag(FlagKind.TACTICS_SKIPPED, evidence)


@dataclass(frozen=True)
class Built:
    """A success of a BUILD. `timing_cache` holds the handed timings combined with the new ones, if any were kept."""

    engine: Artifact
    build_s: float
    power_mode: str | None
    report: BuildReport = field(default_factory=BuildReport)
    timing_cache: Artifact | None = None


@dataclass(frozen=True)
class Audited:
    """The newest measurement of an engine, and what it found of the precision that was asked for; empty: nothing."""

    measurement_id: int
    job_id: int
    device: str
    verdict: str
    precision: str


@dataclass(frozen=True)
class EngineView:
    """An engine, built or still wanted. In listings without any files, fallbacks, warnings, variants and audit."""

    key: str
    recipe: Recipe
    device_class: DeviceClass
    built: Built | None
    built_on: str = ""
    built_at: datetime | None = None
    variants: tuple[str, ...] = ()
    files: tuple[Artifact, ...] = ()
    audit: Audited | None = None
