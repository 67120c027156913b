"""Measurements, written once, with their metrics, runs, rounds, flags and checks. Metrics that are not declared are
left out: an agent that is newer than the controller may send some.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, bindparam, func, insert, select

from controller.core.repeats import as_repeated, repeated_metrics, repeats_of
from controller.model.codec import dump, load_facts
from controller.model.result import Measurement
from controller.store import part_tables as parts_of
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.queries.repeats import past_values
from controller.store.row_digest import Origin, as_stored, row_digest
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.stored import StoredRow


def insert_measurement(connection: Connection, attempt: StoredRow, item: Measurement) -> None:
    """Part of the commit of an attempt; the verdict is derived here, from the flags."""
    variant_id, engine_key = _measured(connection, attempt.task_id, item.subject_index)
    measured_at, facts = now_text(), _FACTS.scalar(connection, facts_id_=attempt.facts_id)
    key = _key(connection, attempt, item, facts=facts)
    item = _as_repeated(connection, as_stored(item), key, device_id=attempt.device_id)
    origin = Origin(
        task_id=attempt.task_id,
        job_id=attempt.job_id,
        attempt_token=attempt.token,
        engine_key=engine_key,
        device_id=attempt.device_id,
        facts=facts,
        variant=_VARIANT.scalar(connection, variant_id_=variant_id) or "",
        measured_at=measured_at,
    )
    measurement_id = _INSERT.run(
        connection,
        task_id=attempt.task_id,
        attempt_token=attempt.token,
        job_id=attempt.job_id,
        subject_idx=item.subject_index,
        variant_id=variant_id,
        engine_key=engine_key,
        device_id=attempt.device_id,
        facts_id=attempt.facts_id,
        measured_at=measured_at,
        provenance=item.provenance.value,
        verdict=item.verdict,
        n=item.n,
        samples_sha256=item.samples.sha256 if item.samples else None,
        samples_bytes=item.samples.size_bytes if item.samples else None,
        window_s=item.window_s,
        warmup_s=item.warmup_s,
        warmup_n=item.warmup_n,
        processes=item.processes,
        accuracy_n=item.accuracy_n,
        digest=row_digest(origin, item),
        damage="",
        circumstances=dump(dict(item.circumstances)),
        repeats_of=key,
        repeats=item.repeats,
    )
    _insert_parts(connection, measurement_id, item)


def _key(connection: Connection, attempt: StoredRow, item: Measurement, *, facts: str) -> str:
    """Empty for what says nothing of repeats: its intervals, if any, are of one process, or of a simulation."""
    if not repeated_metrics(item):
        return ""
    mode = _MODE.scalar(connection, job_id_=attempt.job_id) or ""
    engines = [row.engine_key or "" for row in _SUBJECTS.all(connection, task_id_=attempt.task_id)]
    task = (attempt.schedule, mode, *engines)
    return repeats_of(item, device_id=attempt.device_id, facts=load_facts(facts), task=task)


def _as_repeated(connection: Connection, item: Measurement, key: str, *, device_id: str) -> Measurement:
    """With intervals of what a repeat would print; how many repeats they rest on is not the agent's to say."""
    if not key:
        return replace(item, repeats=None)
    names = repeated_metrics(item)
    past = past_values(connection, key, device_id=device_id, provenance=item.provenance.value, metrics=names)
    return as_repeated(item, key, past)


def _measured(connection: Connection, task_id: int, index: int | None) -> tuple[int | None, str | None]:
    """Variant and engine of a subject; of a whole task what all its subjects agree on."""
    rows = [row for row in _SUBJECTS.all(connection, task_id_=task_id) if index in (None, row.idx)]
    variants, engines = {row.variant_id for row in rows}, {row.engine_key for row in rows}
    return (
        variants.pop() if len(variants) == 1 else None,
        engines.pop() if len(engines) == 1 else None,
    )


def _insert_parts(connection: Connection, measurement_id: int | None, item: Measurement) -> None:
    def rows(parts: Iterable[dict[str, object]]) -> list[dict[str, object]]:
        return [{"measurement_id": measurement_id, **part} for part in parts]

    for table, parts in (
        (parts_of.round_, rows({"idx": k, **vars(part)} for k, part in enumerate(item.rounds))),
        (parts_of.run, rows({"idx": part.index, "content": dump(part)} for part in item.runs)),
        (parts_of.metric, rows({"name": name, **vars(part)} for name, part in item.metrics.items())),
        (
            parts_of.flag,
            rows({"idx": k, "kind": part.kind.value, "evidence": part.evidence} for k, part in enumerate(item.flags)),
        ),
        (parts_of.output_check, rows(vars(part) for part in item.checks)),
    ):
        if parts:
            connection.execute(insert(table), parts)


_SUBJECTS = PreparedStatement(
    select(t.subject.c.idx, t.subject.c.variant_id, t.subject.c.engine_key).where(
        t.subject.c.task_id == bindparam("task_id_")
    )
)
_FACTS = PreparedStatement(select(t.facts.c.content).where(t.facts.c.id == bindparam("facts_id_")))
_MODE = PreparedStatement(
    select(func.json_extract(t.job.c.measure, "$.mode")).where(t.job.c.id == bindparam("job_id_"))
)
_VARIANT = PreparedStatement(select(t.variant.c.content).where(t.variant.c.id == bindparam("variant_id_")))
_INSERT = PreparedStatement(insert(t.measurement))
