"""What goes into a bundle's manifest, from the row that won and its engine. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime

from controller.model.engine import EngineView
from controller.model.facts import shown
from controller.model.quantities import WORDS, unknown_metric
from controller.model.result import VALID, Row
from controller.record.results import result_record
from jetfleet.bundle import LONGEST_NAME, Manifest, is_name
from jetfleet.bundle_manifest import is_limit
from jetfleet.errors import BadInput
from jetfleet.metrics import METRICS, Better
from jetfleet.version import VERSION

# Of p50 and its like: what a target may be slower by than the board that won, where nobody said more.
TOLERANCE = 0.10
DEFAULT_BUDGET = ("p50_ms", "p99_ms")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_CLASS_ONLY = frozenset({"device"})  # a board that shares with nobody is named by its id, which no other one has
_TOLD = ("module", "sku", "l4t", "jetpack", "cuda", "gpu", "cpu_model", "power_mode", "arch", "os")
_KEPT = frozenset(item.name for item in METRICS if item.better is not Better.NEITHER)


def bundle_name(row: Row, asked: str = "") -> str:
    """`mlp-tensorrt-fp16-b1-gpu`, fit for an image, a unit, a folder and compose. Raises BadInput for what is not."""
    if asked and not is_name(asked):
        raise BadInput(
            f"{asked!r} is not a valid name for an image and a service",
            where="--name",
            expected=f"small letters and digits, with - or _ between them, {LONGEST_NAME} at most",
        )
    made = _NOT_IN_A_NAME.sub("-", f"{row.model_name}-{row.variant_key}".lower())
    return asked or made[:LONGEST_NAME].strip("-")


def check_row(row: Row) -> None:
    """Raises BadInput for a row that nothing may be shipped by."""
    if row.measurement.verdict != VALID:
        evidence = "; ".join(flag.evidence for flag in row.measurement.flags)
        raise BadInput(
            f"measurement {row.measurement_id} is {row.measurement.verdict}: {evidence}",
            where=row.label,
            expected="a VALID measurement: nothing else is shipped",
        )
    if row.part:
        raise BadInput(
            f"measurement {row.measurement_id} is of several subjects together ({row.part})",
            where=row.label,
            expected="a variant with one placement: package each of them",
        )


def budget_of(row: Row, asked: Mapping[str, float]) -> dict[str, float]:
    """What was asked for; else the winner's own figures with room for another board. Raises BadInput."""
    asked = {WORDS.get(name, name): limit for name, limit in asked.items()}
    for name, limit in asked.items():
        if name not in _KEPT:
            raise unknown_metric(name, sorted(_KEPT), where="--budget", purpose="keep")
        if not is_limit(limit):
            said = f"{name}={limit:g} is not a valid limit"
            raise BadInput(said, where="--budget", expected="a finite number above 0")
    if asked:
        return asked
    found = {name: row.measurement.estimate(name) for name in DEFAULT_BUDGET}
    edges = {name: item.high if item.high is not None else item.value for name, item in found.items()}
    limits = {name: _rounded(edge * (1 + TOLERANCE)) for name, edge in edges.items() if edge is not None}
    return {name: limit for name, limit in limits.items() if is_limit(limit)}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def manifest_of(
    row: Row, engine: EngineView, *, name: str, budget: Mapping[str, float], files: Mapping[str, str], now: datetime
) -> Manifest:
    if engine.built is None:
        raise BadInput(f"the engine of {row.label} is not built", where=engine.key[:12])
    known = dict(engine.device_class.fields)
    return Manifest(
        name=name,
        model=row.model_name,
        variant=row.variant_key,
        runtime=row.runtime,
        runtime_version=row.runtime_version,
        precision=row.precision.value,
        placement=row.placement,
        batch=row.batch,
        engine=engine.built.engine.sha256,
        device={key: value for key, value in known.items() if key not in _CLASS_ONLY},
        facts={key: shown(row.facts[key]) for key in _TOLD if key in row.facts},
        measurement=_measurement(row),
        budget=dict(budget),
        made_at=now.isoformat(timespec="seconds"),
        made_by=f"jetfleet {VERSION}",
        files=dict(files),
    )


def _measurement(row: Row) -> dict[str, object]:
    """The row as `results --json` has it, without what is large."""
    record = result_record(row)
    return {key: value for key, value in record.items() if key not in ("rounds", "checks", "facts", "runs")}
