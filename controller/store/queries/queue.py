"""READY tasks as the scheduler sees them, in its own order of preference, read only as far as it looks."""

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, exists, or_, select, text

from controller.core.tensorrt import RUNTIMES
from controller.model.codec import load
from controller.model.job import Condition, Variant
from controller.model.task import AttemptEnd, AttemptState, Candidate, FailureKind, TaskKind
from controller.store import tables as t
from controller.store.sqlite.prepared import PreparedStatement

_PAGE = 8  # nearly always the first one fits


def all_ready(connection: Connection) -> list[Candidate]:
    return [_candidate(connection, row) for row in _ALL.all(connection)]


def blocks(connection: Connection, device_id: str) -> Iterator[list[Candidate]]:
    """READY tasks that are not bound to another device, best first, a few at a time: each block comes before the next.

    Take no more of them once a task's state was changed.
    """
    rows = heapq.merge(_pages(connection, _BOUND, device_id), _pages(connection, _FREE, device_id), key=_order)
    while block := [_candidate(connection, row) for row in islice(rows, _PAGE)]:
        yield block


def _pages(connection: Connection, page: PreparedStatement, device_id: str) -> Iterator[Any]:
    begin, size = 0, _PAGE
    while rows := page.all(connection, device_id_=device_id, begin_=begin, size_=size):
        yield from rows
        if len(rows) < size:
            return
        begin, size = begin + size, min(4 * size, 500)


def _order(row: Any) -> tuple[int, int, bool, int]:
    """As core.scheduler orders candidates, and the index task_by_state holds them."""
    return (-row.priority, row.job_id, row.kind == TaskKind.BENCH.value, row.id)


def _candidate(connection: Connection, row: Any) -> Candidate:
    build = row.kind == TaskKind.BUILD.value
    return Candidate(
        task_id=row.id,
        kind=TaskKind(row.kind),
        job_id=row.job_id,
        priority=row.priority,
        runtime=row.engine_runtime if build else row.runtime,
        runtime_version=row.runtime_version if build else "",
        placement=row.engine_placement if build else row.placement,
        class_key=row.class_key if build else "",
        device_id=row.device_id,
        conditions=load(tuple[Condition, ...], row.conditions) if row.conditions else (),
        history=_faults(connection, row.id) if row.met_fault else (),
        variant=load(Variant, row.demanding) if row.demanding else None,
    )


def _faults(connection: Connection, task_id: int) -> tuple[AttemptEnd, ...]:
    """Only faults of devices matter to scheduling, and they are rare."""
    rows = _FAULTS.all(connection, task_id_=task_id)
    return tuple(AttemptEnd(AttemptState(row.state), row.device_id, FailureKind(row.failure_kind)) for row in rows)


def _select_ready() -> Select[Any]:
    return (
        select(
            t.task.c.id,
            t.task.c.kind,
            t.task.c.job_id,
            t.task.c.priority,
            t.task.c.device_id,
            t.task.c.conditions,
            t.engine.c.runtime.label("engine_runtime"),
            t.engine.c.runtime_version,
            t.engine.c.placement.label("engine_placement"),
            t.engine.c.class_key,
            t.variant.c.runtime,
            t.variant.c.placement,
            # What TensorRT can do depends on more than its presence; the others are not worth the reading.
            case((or_(*(t.variant.c.runtime == name for name in sorted(RUNTIMES))), t.variant.c.content)).label(
                "demanding"
            ),
            exists()
            .where(t.attempt.c.task_id == t.task.c.id, t.attempt.c.failure_kind.is_not(None))
            .correlate(t.task)
            .label("met_fault"),
        )
        .outerjoin(t.engine, t.engine.c.key == t.task.c.engine_key)
        .outerjoin(t.subject, (t.subject.c.task_id == t.task.c.id) & (t.subject.c.idx == 0))
        .outerjoin(t.variant, t.variant.c.id == t.subject.c.variant_id)
        .where(text("task.state = 'READY'"))
        .order_by(t.task.c.priority.desc(), t.task.c.job_id, t.task.c.kind.desc(), t.task.c.id)
    )


def _page(query: Select[Any]) -> PreparedStatement:
    return PreparedStatement(query.limit(bindparam("size_")).offset(bindparam("begin_")))


_ALL = PreparedStatement(_select_ready())
_BOUND = _page(_select_ready().where(t.task.c.device_id == bindparam("device_id_")))
_FREE = _page(_select_ready().where(t.task.c.device_id.is_(None)))
_FAULTS = PreparedStatement(
    select(t.attempt.c.state, t.attempt.c.device_id, t.attempt.c.failure_kind)
    .where(t.attempt.c.task_id == bindparam("task_id_"), t.attempt.c.failure_kind.is_not(None))
    .order_by(t.attempt.c.number)
)
