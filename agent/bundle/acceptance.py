"""The acceptance test: measured again on the target by the same method, and held against the budget that won."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from agent.bundle.engine import UsableEngine
from agent.daemon.run_once import run_once
from jetfleet.bundle import Manifest
from jetfleet.errors import TaskFailed
from jetfleet.metrics import METRICS, Better
from jetfleet.v1.task_pb2 import Estimate, FlagKind, Measurement

_BETTER: Mapping[str, Better] = {item.name: item.better for item in METRICS}
_HAS_INTERVAL: Mapping[str, bool] = {item.name: item.has_interval for item in METRICS}


@dataclass(frozen=True)
class Verdict:
    """`kept` None: it cannot be told, which is no pass."""

    metric: str
    limit: float
    value: float | None
    kept: bool | None
    reason: str


def measure_again(engine: UsableEngine, manifest: Manifest, *, callables: Sequence[str] = ()) -> Measurement:
    """By `agent once`'s way: fresh processes, outputs first. Raises TaskFailed where it does not get to a number.

    `callables` are digests of users' Python files around the engine that may run, or ANY.
    """
    with tempfile.TemporaryDirectory(prefix="jetfleet-acceptance-") as folder:
        task = Path(folder) / "bench.json"
        task.write_text(json_format.MessageToJson(engine.bench))
        outcome = run_once(task, blobs=engine.blobs, out=Path(folder) / "out", callables=callables)
    if not outcome.HasField("measured"):
        raise TaskFailed(f"it could not be measured: {outcome.failure.message}", where=manifest.name)
    found: Measurement = outcome.measured.measurements[0]
    return found


def held(found: Measurement, budget: Mapping[str, float]) -> list[Verdict]:
    """Every line of the budget; kept only with the whole interval, and by a measurement without a flag."""
    flags = [f"{FlagKind.Name(flag.kind).removeprefix('FLAG_KIND_')}: {flag.evidence}" for flag in found.flags]
    return [_verdict(found, name, limit, flags) for name, limit in sorted(budget.items())]


def _verdict(found: Measurement, name: str, limit: float, flags: Sequence[str]) -> Verdict:
    estimate = found.metrics.get(name, Estimate())
    if not estimate.HasField("value"):
        return Verdict(name, limit, None, None, estimate.reason or "not measured")
    upper = _BETTER.get(name) is not Better.HIGHER
    value = float(estimate.value)
    if _is_beyond(value, limit, upper=upper):
        return Verdict(name, limit, value, False, "above the limit" if upper else "below the limit")
    doubt = "; ".join(flags) or _doubt(estimate, limit, upper=upper, has_interval=_HAS_INTERVAL.get(name, False))
    return Verdict(name, limit, value, None if doubt else True, doubt)


def _is_beyond(value: float, limit: float, *, upper: bool) -> bool:
    return value > limit if upper else value < limit


def _doubt(estimate: Estimate, limit: float, *, upper: bool, has_interval: bool) -> str:
    """Why a value within the limit keeps it by luck only, for all that is known; empty if it does not."""
    if not (estimate.HasField("low") and estimate.HasField("high")):
        return (estimate.reason or "it has no interval") if has_interval else ""
    edge = float(estimate.high if upper else estimate.low)
    return f"its interval reaches {edge:.4g}" if _is_beyond(edge, limit, upper=upper) else ""
