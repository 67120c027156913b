"""Results as data: one name for each thing, whether in `v_results`, in JSON, in CSV or in a pandas frame.

In JSON flags, options, sizes, settings, labels and facts are lists and objects; a table has `flags` as one text, and a
column for each of the others that any of its rows has: `option.NAME`, `dim.NAME`, `setting.NAME`, `label.NAME`,
`fact.NAME`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from controller.model.facts import Facts, shown
from controller.model.result import Estimate, Flag, Measurement, Row, Run
from jetfleet.board_settings import POWER_MODE
from jetfleet.circumstances import NAMES as CIRCUMSTANCES
from jetfleet.metrics import COLUMNS as METRIC_COLUMNS
from jetfleet.metrics import METRICS, MetricSpec

Record: TypeAlias = dict[str, Any]

# What a table spreads over columns of their own, and how those begin.
_SPREAD = {"options": "option", "dims": "dim", "settings": "setting", "labels": "label", "facts": "fact"}


def result_record(row: Row) -> Record:
    """A row as one JSON object, which holds what the columns of `v_results` do and the parts of the measurement."""
    item = row.measurement
    return {
        **_values(row),
        "flags": [{"kind": flag.kind.value, "evidence": flag.evidence} for flag in item.flags],
        "options": dict(sorted(row.options.items())),
        "dims": dict(sorted(row.dims.items())),
        "settings": dict(sorted(row.settings.items())),
        "labels": dict(sorted(row.labels.items())),
        "facts": facts_record(row.facts),
        "runs": [_run_record(part) for part in item.runs],
        "rounds": [asdict(part) for part in item.rounds],
        "checks": [{name: _finite(value) for name, value in asdict(part).items()} for part in item.checks],
    }


def _run_record(run: Run) -> Record:
    """One fresh process; without `void_reason` it is one of those that the numbers are of."""
    return {
        **{name: getattr(run, name) for name in ("index", "n", "load_s", "warmup_s", "warmup_n", "window_s")},
        "metrics": {metric.name: run.metrics[metric.name] for metric in METRICS if metric.name in run.metrics},
        "within_low_ms": run.within_low_ms,
        "within_high_ms": run.within_high_ms,
        "flags": [{"kind": flag.kind.value, "evidence": flag.evidence} for flag in run.flags],
        "void_reason": run.void_reason or None,
        "samples_sha256": run.samples.sha256 if run.samples else None,
    }


def result_frame(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[Record]]:
    """The columns of a table of these rows, and a record for each; a column that a row lacks is None in it."""
    names = {
        prefix: sorted({name for row in rows for name in getattr(row, field)}) for field, prefix in _SPREAD.items()
    }
    spread = [f"{prefix}.{name}" for prefix, found in names.items() for name in found]
    records = [{**dict.fromkeys(spread), **_values(row), **dict(_spread_values(row))} for row in rows]
    return (*COLUMNS, *spread), records


def facts_record(facts: Facts) -> Record:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in sorted(facts.items())}


def metric_values(item: Measurement) -> Iterator[tuple[str, float | str | None]]:
    """Every column of every metric; None where it was not measured."""
    for metric in METRICS:
        yield from zip(metric.columns, _parts(metric, item.estimate(metric.name)), strict=True)


def _parts(metric: MetricSpec, estimate: Estimate) -> tuple[float | str | None, ...]:
    parts = {
        "value": _finite(estimate.value),
        "low": estimate.low,
        "high": estimate.high,
        "reason": estimate.reason or None,
    }
    return tuple(parts[part] for part in metric.parts)


def _values(row: Row) -> Record:
    """What has one value, by column."""
    return {
        **{name: get(row) for name, get in _IDENTITY.items()},
        **dict(metric_values(row.measurement)),
        **{name: row.measurement.circumstances.get(name) for name in CIRCUMSTANCES},
        POWER_MODE: row.power_mode,
        **{name: get(row) for name, get in _MORE.items()},
    }


def _spread_values(row: Row) -> Iterator[tuple[str, Any]]:
    for field, prefix in _SPREAD.items():
        values: Mapping[str, Any] = getattr(row, field)
        for name, value in values.items():
            yield f"{prefix}.{name}", shown(value) if isinstance(value, tuple) else value


def _flags_text(flags: Sequence[Flag]) -> str | None:
    return "; ".join(f"{flag.kind.value}: {flag.evidence}" for flag in flags) or None


def _finite(value: Any) -> Any:
    """JSON has no infinity, which is the SNR of equal tensors; `detail` and `max_abs` tell that case apart."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _outputs_ok(row: Row) -> bool | None:
    checks = row.measurement.checks
    return all(check.passed for check in checks) if checks else None


_IDENTITY: Mapping[str, Callable[[Row], Any]] = {
    "measurement_id": lambda row: row.measurement_id,
    "task_id": lambda row: row.task_id,
    "job_id": lambda row: row.job_id,
    "job": lambda row: row.job_name,
    "model": lambda row: row.model_name,
    "variant": lambda row: row.variant_key,
    "device": lambda row: row.device,
    "runtime": lambda row: row.runtime,
    "runtime_version": lambda row: row.runtime_version,
    "precision": lambda row: row.precision.value,
    "batch": lambda row: row.batch,
    "placement": lambda row: row.placement,
    "provenance": lambda row: row.measurement.provenance.value,
    "verdict": lambda row: row.measurement.verdict,
    "n": lambda row: row.measurement.n,
}
_MORE: Mapping[str, Callable[[Row], Any]] = {
    "accuracy_n": lambda row: row.measurement.accuracy_n,
    "warmup_s": lambda row: row.measurement.warmup_s,
    "warmup_n": lambda row: row.measurement.warmup_n,
    "window_s": lambda row: row.measurement.window_s,
    "processes": lambda row: row.measurement.processes,
    "repeats": lambda row: row.measurement.repeats,
    "flags": lambda row: _flags_text(row.measurement.flags),
    "outputs_ok": _outputs_ok,
    "measured_at": lambda row: row.measured_at.isoformat(timespec="milliseconds"),
    "engine_key": lambda row: row.engine_key or None,
    "samples_sha256": lambda row: row.measurement.samples.sha256 if row.measurement.samples else None,
    "subject_index": lambda row: row.measurement.subject_index,
    "schedule": lambda row: row.schedule.value,
    "mode": lambda row: row.mode.value,
    "lowering": lambda row: row.lowering.value if row.lowering else None,
    "model_sha256": lambda row: row.model_sha256 or None,
    "commit": lambda row: row.labels.get("commit"),
    "branch": lambda row: row.labels.get("branch"),
}
# In the order of `v_results`, which has its JSON columns (settings, options, labels, facts) after these.
COLUMNS = (*_IDENTITY, *METRIC_COLUMNS, *CIRCUMSTANCES, *_MORE)
