"""Measurements, read back with the facts they were taken under."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from controller.core.select import matches
from controller.model.codec import load, load_facts, load_labels
from controller.model.job import Artifact, Lowering, Measure, Precision, Role, Variant
from controller.model.result import (
    Estimate,
    Flag,
    FlagKind,
    Measurement,
    Provenance,
    Round,
    Schedule,
    TensorCheck,
)
from controller.model.result import Row as ResultRow
from controller.model.task import Device
from controller.model.view import ResultQuery
from controller.store import tables as t
from controller.store.clock import parse
from controller.store.stored import StoredRow

_PLAIN = ("window_s", "warmup_s", "warmup_n", "processes", "accuracy_n")


def query_rows(connection: Connection, query: ResultQuery) -> list[ResultRow]:
    """Measurements of variants that pass every filter, newest first."""
    wanted = _select_rows()
    if query.job_ids:
        wanted = wanted.where(t.measurement.c.job_id.in_(query.job_ids))
    if query.variant_keys:
        wanted = wanted.where(t.variant.c.key.in_(query.variant_keys))
    if query.conditions:
        wanted = wanted.where(t.measurement.c.facts_id.in_(_matching_facts(connection, query)))
    for name, value in query.labels.items():
        wanted = wanted.where(_label(name) == value)
    if query.before_id is not None:
        wanted = wanted.where(t.measurement.c.id < query.before_id)
    found = connection.execute(wanted.order_by(t.measurement.c.id.desc()).limit(query.limit)).all()
    parts = _Parts(connection, [row.id for row in found])
    return [_result_row(row, parts) for row in found]


def _matching_facts(connection: Connection, query: ResultQuery) -> list[int]:
    """Snapshots of facts are few, however many measurements were taken under them."""
    return [
        row.id
        for row in connection.execute(select(t.facts))
        if matches(query.conditions, Device("", "", load_facts(row.content)))
    ]


def _label(name: str) -> ColumnElement[str]:
    """The value of one label of the job. A name may hold dots, so its path is quoted."""
    return func.json_extract(t.job.c.labels, f'$."{name}"')


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


class _Parts:
    """Rounds, stages, flags and checks of many measurements, read with one query each."""

    def __init__(self, connection: Connection, ids: Sequence[int]) -> None:
        self.rounds = _grouped(connection, t.round_, t.round_.c.idx, ids)
        self.metrics = _metrics(connection, ids)
        self.flags = _grouped(connection, t.flag, t.flag.c.idx, ids)
        self.checks = _grouped(connection, t.output_check, t.output_check.c.tensor, ids)


def _metrics(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Estimate]]:
    """A GPU has some sixty for each measurement, so nothing but the tuples is made of the rows."""
    found: dict[int, dict[str, Estimate]] = {number: {} for number in ids}
    columns = (t.metric.c[name] for name in ("measurement_id", "name", "value", "low", "high", "reason"))
    wanted = select(*columns)
    for start in range(0, len(ids), 500):
        some = connection.execute(wanted.where(t.metric.c.measurement_id.in_(ids[start : start + 500])))
        for number, name, value, low, high, reason in some:
            found[number][name] = Estimate(value, low, high, reason)
    return found


def _grouped(
    connection: Connection, table: Table, order: ColumnElement[object], ids: Sequence[int]
) -> dict[int, list[StoredRow]]:
    found: dict[int, list[StoredRow]] = {}
    for start in range(0, len(ids), 500):  # SQLite bounds the number of parameters
        some = ids[start : start + 500]
        for row in connection.execute(select(table).where(table.c.measurement_id.in_(some)).order_by(order)):
            found.setdefault(row.measurement_id, []).append(row)
    return found


def _result_row(row: StoredRow, parts: _Parts) -> ResultRow:
    measurement = Measurement(
        subject_index=row.subject_idx,
        provenance=Provenance(row.provenance),
        n=row.n,
        rounds=tuple(Round(item.n, item.p50_ms, item.mean_ms) for item in parts.rounds.get(row.id, ())),
        checks=tuple(_check(item) for item in parts.checks.get(row.id, ())),
        flags=tuple(Flag(FlagKind(item.kind), item.evidence) for item in parts.flags.get(row.id, ())),
        samples=Artifact(Role.SAMPLES, "samples.npy", row.samples_sha256, row.samples_bytes)
        if row.samples_sha256
        else None,
        metrics=parts.metrics.get(row.id, {}),
        **{name: row._mapping[name] for name in _PLAIN},
    )
    variant = load(Variant, row.variant)
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
        precision=Precision(row.precision),
        batch=row.batch,
        placement=row.placement,
        engine_key=row.engine_key or "",
        measured_at=parse(row.measured_at),
        facts=load_facts(row.facts),
        measurement=measurement,
        schedule=Schedule(row.schedule) if row.schedule else Schedule.ALONE,
        mode=load(Measure, row.measure).mode,
        lowering=Lowering(row.lowering) if row.lowering else None,
        options=variant.options,
        model_sha256=next((item.sha256 for item in variant.artifacts if item.role is Role.MODEL_FP32), ""),
        labels=load_labels(row.labels),
    )


def _check(row: StoredRow) -> TensorCheck:
    known = {item.name: getattr(row, item.name) for item in fields(TensorCheck)}
    return TensorCheck(**{**known, "passed": bool(row.passed)})
