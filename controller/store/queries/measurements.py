"""Measurements with their parts, held against the digests that were written with them."""

from collections.abc import Sequence
from dataclasses import fields, replace

from sqlalchemy import ColumnElement, Connection, Table, select

from controller.model.codec import load, load_labels
from controller.model.job import Artifact, Role
from controller.model.result import Estimate, Flag, FlagKind, Measurement, Provenance, Round, Run, TensorCheck
from controller.store import part_tables as t
from controller.store.row_digest import Origin, row_digest
from controller.store.stored import StoredRow

# What reading raises of text that is no longer what was written.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)
_PLAIN = ("window_s", "warmup_s", "warmup_n", "processes", "accuracy_n", "repeats")


class Parts:
    """Runs, rounds, metrics, flags and checks of many measurements, read with one query each."""

    def __init__(self, connection: Connection, ids: Sequence[int]) -> None:
        self.runs = _grouped(connection, t.run, t.run.c.idx, ids)
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


def verified_measurement(row: StoredRow, parts: Parts) -> Measurement:
    """The measurement, DAMAGED if it is not what its digest says, or was not when it was looked at before."""
    found, damage = read_measurement(row, parts)
    damage = damage or row.damage
    return replace(found, flags=(Flag(FlagKind.DAMAGED, damage), *found.flags)) if damage else found


def read_measurement(row: StoredRow, parts: Parts) -> tuple[Measurement, str]:
    """The measurement as it stands there, and why that is not what was committed; empty if it is."""
    try:
        found = _measurement(row, parts)
        intact = row.verdict == found.verdict and row.digest in ("", row_digest(_origin(row), found))
    except UNREADABLE:
        # Whatever this was, it is not to be taken for a machine's.
        found, intact = _nothing(row), False
    return found, "" if intact else "the row is not what was committed: its digest differs; measure again"


def _origin(row: StoredRow) -> Origin:
    return Origin(
        task_id=row.task_id,
        job_id=row.job_id,
        attempt_token=row.attempt_token,
        engine_key=row.engine_key,
        device_id=row.device_id,
        facts=row.facts,
        variant=row.variant or "",
        measured_at=row.measured_at,
    )


def _measurement(row: StoredRow, parts: Parts) -> Measurement:
    return Measurement(
        subject_index=row.subject_idx,
        provenance=Provenance(row.provenance),
        n=row.n,
        rounds=tuple(Round(item.n, item.p50_ms, item.mean_ms, item.run) for item in parts.rounds.get(row.id, ())),
        checks=tuple(_check(item) for item in parts.checks.get(row.id, ())),
        flags=tuple(Flag(FlagKind(item.kind), item.evidence) for item in parts.flags.get(row.id, ())),
        samples=Artifact(Role.SAMPLES, "samples.npy", row.samples_sha256, row.samples_bytes)
        if row.samples_sha256
        else None,
        metrics=parts.metrics.get(row.id, {}),
        circumstances=load_labels(row.circumstances),
        runs=tuple(load(Run, item.content) for item in parts.runs.get(row.id, ())),
        **{name: row._mapping[name] for name in _PLAIN},
    )


def _nothing(row: StoredRow) -> Measurement:
    return Measurement(row.subject_idx, Provenance.SIMULATED, 0, 0.0, 0.0, 0, (), (), 0, (), None)


def _check(row: StoredRow) -> TensorCheck:
    known = {item.name: getattr(row, item.name) for item in fields(TensorCheck)}
    return TensorCheck(**{**known, "passed": bool(row.passed)})
