"""Measurements, read back with the facts they were taken under."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, func, select

from controller.model.codec import load, load_facts, load_labels
from controller.model.interleaved import Interleaved
from controller.model.job import Lowering, Measure, Precision, Role, Variant
from controller.model.result import Flag, FlagKind, Measurement, Schedule
from controller.model.result import Row as ResultRow
from controller.model.view import ResultQuery
from controller.store import tables as t
from controller.store.clock import parse
from controller.store.queries.interleaved import interleaved_of
from controller.store.queries.measurements import UNREADABLE, Parts, verified_measurement
from controller.store.queries.newest import newest_ids
from controller.store.stored import StoredRow

T = TypeVar("T")

_NO_TIME = datetime.fromtimestamp(0, timezone.utc)


def query_rows(connection: Connection, query: ResultQuery) -> list[ResultRow]:
    """Measurements of variants that pass every filter, newest first. Raises BadInput for what cannot be a label."""
    ids, wanted = newest_ids(connection, query), _select_rows().order_by(t.measurement.c.id.desc())
    found: list[StoredRow] = []
    for start in range(0, len(ids), 500):  # SQLite bounds the number of parameters
        found += connection.execute(wanted.where(t.measurement.c.id.in_(ids[start : start + 500])))
    parts = Parts(connection, [row.id for row in found])
    in_turns = [row.task_id for row in found if row.schedule == Schedule.INTERLEAVED.value]
    ratios = interleaved_of(connection, list(dict.fromkeys(in_turns)))
    return [_with_ratios(_result_row(row, parts), ratios) for row in found]


def _with_ratios(row: ResultRow, ratios: Mapping[int, Interleaved | None]) -> ResultRow:
    """The candidate's row tells how it compares to the base's."""
    if row.task_id not in ratios or row.measurement.subject_index != 1:
        return row
    if (found := ratios[row.task_id]) is not None:
        return replace(row, interleaved=found)
    damage = Flag(FlagKind.DAMAGED, f"the ratios of task {row.task_id} are not what was committed: measure again")
    return replace(row, measurement=replace(row.measurement, flags=(damage, *row.measurement.flags)))


def _select_rows() -> Select[Any]:
    """Tasks and subjects are joined loosely: what they tell has a meaning without them too."""
    return (
        select(
            t.measurement,
            t.job.c.name.label("job_name"),
            t.job.c.model_name,
            t.job.c.measure,
            t.variant.c.key.label("variant_key"),
            t.variant.c.runtime,
            t.variant.c.precision,
            t.variant.c.batch,
            func.coalesce(t.subject.c.placement, t.variant.c.placement).label("placement"),
            t.task.c.schedule,
            t.device.c.name.label("device_name"),
            func.coalesce(t.engine.c.runtime_version, _first_version()).label("runtime_version"),
            t.engine.c.lowering,
            t.facts.c.content.label("facts"),
            t.variant.c.content.label("variant"),
            t.job.c.labels,
        )
        .join(t.job, t.job.c.id == t.measurement.c.job_id)
        .join(t.variant, t.variant.c.id == t.measurement.c.variant_id)
        .join(t.device, t.device.c.id == t.measurement.c.device_id)
        .join(t.facts, t.facts.c.id == t.measurement.c.facts_id)
        .outerjoin(t.engine, t.engine.c.key == t.measurement.c.engine_key)
        .outerjoin(t.task, t.task.c.id == t.measurement.c.task_id)
        .outerjoin(
            t.subject,
            (t.subject.c.task_id == t.measurement.c.task_id) & (t.subject.c.idx == t.measurement.c.subject_idx),
        )
    )


def _first_version() -> ColumnElement[str]:
    """The runtime's version in a whole task: its subjects are of one variant, and so of one runtime on one device."""
    first, engine = t.subject.alias("first"), t.engine.alias("first_engine")
    return (
        select(engine.c.runtime_version)
        .join(first, first.c.engine_key == engine.c.key)
        .where(first.c.task_id == t.measurement.c.task_id, first.c.idx == 0)
        .scalar_subquery()
    )


def _result_row(row: StoredRow, parts: Parts) -> ResultRow:
    variant = _read(lambda: load(Variant, row.variant))
    artifacts = variant.artifacts if variant else ()
    return ResultRow(
        measurement_id=row.id,
        task_id=row.task_id,
        job_id=row.job_id,
        job_name=row.job_name,
        model_name=row.model_name,
        variant_key=row.variant_key,
        device=row.device_name,
        runtime=row.runtime,
        runtime_version=row.runtime_version or "",
        precision=_read(lambda: Precision(row.precision)) or Precision.FP32,
        batch=row.batch,
        placement=row.placement,
        engine_key=row.engine_key or "",
        measured_at=_read(lambda: parse(row.measured_at)) or _NO_TIME,
        facts=_read(lambda: load_facts(row.facts)) or {},
        measurement=_measurement(row, parts),
        schedule=_read(lambda: Schedule(row.schedule)) or Schedule.ALONE,
        mode=_asked(row).mode,
        lowering=_read(lambda: Lowering(row.lowering)),
        options=variant.options if variant else {},
        dims=variant.dims if variant else {},
        settings=variant.settings if variant else {},
        model_sha256=next((item.sha256 for item in artifacts if item.role is Role.MODEL_FP32), ""),
        labels=_labels(row),
    )


def _asked(row: StoredRow) -> Measure:
    return _read(lambda: load(Measure, row.measure)) or Measure()


def _labels(row: StoredRow) -> Mapping[str, str]:
    return _read(lambda: load_labels(row.labels)) or {}


def _measurement(row: StoredRow, parts: Parts) -> Measurement:
    """DAMAGED also by what its job says of it, which is in no digest of the row."""
    found = verified_measurement(row, parts)
    told = _read(lambda: (load(Measure, row.measure), load_labels(row.labels)))
    if told is not None or found.verdict == FlagKind.DAMAGED.value:
        return found
    damage = Flag(FlagKind.DAMAGED, f"job {row.job_id} is not what was submitted: controller fsck")
    return replace(found, flags=(damage, *found.flags))


def _read(look: Callable[[], T]) -> T | None:
    """None for what is absent, or no longer what was written: then the measurement says that the row is damaged."""
    try:
        return look()
    except UNREADABLE:
        return None
