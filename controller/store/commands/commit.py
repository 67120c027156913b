"""The end of an attempt, committed once: the same commit gets the same answer, a stale one is kept as an orphan, and
one that cannot be stored as a dead letter.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from controller.model.codec import dump
from controller.model.engine import Built
from controller.model.lease import Committed, Directive, Measured, Outcome, Returned
from controller.model.result import Measurement, Provenance, Schedule
from controller.model.task import AttemptState, Failure, FailureKind, TaskKind
from controller.store import incidents
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands import timing_caches
from controller.store.commands.attempts import close_attempt, keep_artifacts, settle
from controller.store.commands.cordon import cordon_if_faulty
from controller.store.commands.dead_letters import keep_dead_letter
from controller.store.commands.incident_bounds import keep_newest
from controller.store.commands.interleaved import insert_interleaved
from controller.store.commands.measurements import insert_measurement
from controller.store.queries.devices import current_device
from controller.store.queries.leases import directives
from controller.store.queries.tasks import OPEN_STATES
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.sqlite.savepoint import or_unstorable
from controller.store.stored import StoredRow
from jetfleet.options import SIMULATED_RUNTIME


def commit(connection: Connection, session_id: str, token: str, outcome: Outcome) -> Committed:
    """Ends an attempt and, in the same transaction, keeps what it made."""
    device = current_device(connection, session_id).device
    row = _ATTEMPT.first(connection, token_=token)
    if row is not None and row.device_id != device.id:
        return Committed("", stale="the attempt is another device's")
    if row is None:
        return _orphan(connection, token, outcome, "no such attempt", device_id=device.id)
    sha256 = hashlib.sha256(outcome.raw).hexdigest()
    if row.state not in OPEN_STATES:
        if row.outcome_sha256 == sha256:
            return Committed(row.task_state)
        how = "with another result" if row.outcome_sha256 else "by the controller"
        return _orphan(connection, token, outcome, f"the attempt was ended {how}: {row.state}", device_id=device.id)
    committed = _stored(connection, row, outcome)
    _NOTE_OUTCOME.run(connection, token_=token, sha256_=sha256)
    return committed


def _stored(connection: Connection, row: StoredRow, outcome: Outcome) -> Committed:
    """Keeps what an attempt made, or, where that cannot be, the outcome as it came."""
    reason = outcome.unusable
    if not reason:
        stored = or_unstorable(connection, lambda: _end(connection, row, outcome))
        if isinstance(stored, Committed):
            return stored
        reason = stored
    failure = keep_dead_letter(connection, row, outcome, reason)
    return _fail(connection, row, replace(outcome, artifacts=(), peak_rss_bytes=None), failure)


def _end(connection: Connection, row: StoredRow, outcome: Outcome) -> Committed:
    if isinstance(outcome.end, Failure):
        return _fail(connection, row, outcome, outcome.end)
    if isinstance(outcome.end, Returned):
        close_attempt(connection, row.token, AttemptState.RETURNED, message=outcome.end.reason)
        return _settled(connection, row)
    misfit = _misfit(connection, row, outcome)
    if misfit:
        return _fail(connection, row, outcome, Failure(FailureKind.BAD_INPUT, misfit))
    keep_artifacts(connection, row.token, outcome.artifacts)
    close_attempt(connection, row.token, AttemptState.COMMITTED, peak_rss_bytes=outcome.peak_rss_bytes)
    _keep_end(connection, row, outcome.end)
    return _settled(connection, row)


def _keep_end(connection: Connection, row: StoredRow, end: Built | Measured) -> None:
    if isinstance(end, Built):
        _keep_engine(connection, row, end)
        return
    for measurement in end.measurements:
        insert_measurement(connection, row, measurement)
    if end.interleaved is not None:
        insert_interleaved(connection, row.task_id, end.interleaved)


def _settled(connection: Connection, row: StoredRow) -> Committed:
    return Committed(settle(connection, row.task_id).value)


def _fail(connection: Connection, row: StoredRow, outcome: Outcome, failure: Failure) -> Committed:
    cancelled = directives(connection, row.session_id, [row.token])[row.token] is Directive.CANCEL
    keep_artifacts(connection, row.token, outcome.artifacts)
    end = AttemptState.CANCELLED if cancelled else AttemptState.FAILED
    close_attempt(connection, row.token, end, failure=failure, peak_rss_bytes=outcome.peak_rss_bytes)
    if failure.kind is FailureKind.DEVICE_FAULT:
        cordon_if_faulty(connection, row.device_id)
    return _settled(connection, row)


def _misfit(connection: Connection, row: StoredRow, outcome: Outcome) -> str:
    """What is wrong with a success that does not answer its task; empty if nothing is."""
    if (row.kind == TaskKind.BUILD.value) is not isinstance(outcome.end, Built):
        return f"the agent answered a {row.kind} with something else"
    if isinstance(outcome.end, Measured):
        subjects = {item.idx: item.runtime for item in _SUBJECTS.all(connection, task_id_=row.task_id)}
        schedule, found = Schedule(row.schedule), outcome.end
        return (
            _mismeasured(list(subjects), schedule, found.measurements)
            or _mispaired(schedule, found)
            or _misattributed(subjects, found.measurements)
        )
    return ""


def _mispaired(schedule: Schedule, found: Measured) -> str:
    """Ratios belong to subjects in turns, and each process has its own."""
    if found.interleaved is None:
        timed = any(item.n for item in found.measurements)
        return "the agent timed the subjects, and tells no ratio" if timed and schedule is Schedule.INTERLEAVED else ""
    if schedule is not Schedule.INTERLEAVED:
        return "the agent tells ratios of subjects that were not timed in turns"
    indexes = [run.index for run in found.interleaved.runs]
    return f"the agent tells ratios of processes {indexes}" if len(set(indexes)) < len(indexes) else ""


def _misattributed(runtimes: Mapping[int, str], found: tuple[Measurement, ...]) -> str:
    """Numbers of a model of a machine are not to be taken for a machine's."""
    for item in found:
        ran = runtimes.values() if item.subject_index is None else [runtimes[item.subject_index]]
        if SIMULATED_RUNTIME in ran and item.provenance is not Provenance.SIMULATED:
            return f"the agent says {item.provenance.value} of what the simulated runtime ran"
    return ""


def _mismeasured(subjects: list[int], schedule: Schedule, found: tuple[Measurement, ...]) -> str:
    """One measurement of each subject, and one of the whole where they ran at the same time."""
    indexes = [item.subject_index for item in found]
    missing = [index for index in subjects if index not in indexes]
    if missing:
        return f"the agent measured no subject {missing}"
    if schedule is Schedule.CONCURRENT and None not in indexes:
        return "the agent measured the subjects, and not the whole"
    if len(set(indexes)) < len(indexes) or not {*indexes} <= {None, *subjects}:
        return f"the agent measured subjects {indexes} of {subjects}"
    return ""


def _keep_engine(connection: Connection, row: StoredRow, built: Built) -> None:
    connection.execute(
        update(t.engine)
        .where(t.engine.c.key == row.engine_key)
        .values(
            sha256=built.engine.sha256,
            size_bytes=built.engine.size_bytes,
            build_s=built.build_s,
            power_mode=built.power_mode,
            report=dump(built.report),
            built_by=row.token,
            built_at=now_text(),
        )
    )
    if built.timing_cache is not None:
        engine = _ENGINE.first(connection, key_=row.engine_key)
        use = built.report.timing_cache
        timing_caches.keep(connection, engine, built.timing_cache, handed=use.handed if use else (), token=row.token)


def _orphan(connection: Connection, token: str, outcome: Outcome, reason: str, *, device_id: str) -> Committed:
    connection.execute(
        sqlite_insert(incidents.orphan)
        .values(attempt_token=token, reason=reason, received_at=now_text(), outcome=outcome.raw, device_id=device_id)
        .on_conflict_do_nothing()
    )
    keep_newest(connection, "orphan", device_id)
    return Committed("", stale=reason)


_ATTEMPT = PreparedStatement(
    select(
        t.attempt,
        t.task.c.kind,
        t.task.c.engine_key,
        t.task.c.job_id,
        t.task.c.schedule,
        t.task.c.state.label("task_state"),
    )
    .join(t.task, t.task.c.id == t.attempt.c.task_id)
    .where(t.attempt.c.token == bindparam("token_"))
)
_NOTE_OUTCOME = PreparedStatement(
    update(t.attempt).where(t.attempt.c.token == bindparam("token_")).values(outcome_sha256=bindparam("sha256_"))
)
_SUBJECTS = PreparedStatement(
    select(t.subject.c.idx, t.variant.c.runtime)
    .join(t.variant, t.variant.c.id == t.subject.c.variant_id)
    .where(t.subject.c.task_id == bindparam("task_id_"))
)
_ENGINE = PreparedStatement(
    select(t.engine.c.class_key, t.engine.c.runtime, t.engine.c.runtime_version).where(
        t.engine.c.key == bindparam("key_")
    )
)
