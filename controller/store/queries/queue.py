"""READY tasks as the scheduler sees them, in lines of one demand each: judged once, and read as far as needed.

So a claim costs what the number of different demands costs, and not what the number of tasks would.
"""

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, select

from controller.core import demand, scheduler
from controller.model.codec import load, load_facts
from controller.model.task import AttemptEnd, AttemptState, Candidate, Demand, Device, FailureKind, TaskKind
from controller.store import tables as t
from controller.store.sqlite.prepared import PreparedStatement

_PAGE = 8  # nearly always the first one of a line is taken
_LARGEST_PAGE = 500


class QueuedTask(NamedTuple):
    """The columns of a READY task."""

    id: int
    kind: str
    job_id: int
    priority: int
    device_id: str | None
    met_fault: int
    content: str


def all_ready(connection: Connection) -> list[Candidate]:
    return [_candidate(connection, row) for row in map(_queued, _ALL.all(connection))]


def lines(connection: Connection, device: Device, facts: str) -> list[Iterator[Candidate]]:
    """READY tasks that a device with these facts can run, best first in each line. Lines are read lazily.

    Take no more of them once a task's state was changed.
    """
    able = []
    for device_id in (device.id, None):
        for row in _DEMANDS.all(connection, device_id_=device_id):
            if fits(device.id, facts, row.content, bound=device_id is not None):
                able.append(_line(connection, device_id, row.demand_id))
    return able


def fits(device_id: str, facts: str, content: str, *, bound: bool) -> bool:
    """Whether a device can run what a demand asks for; both as the database keeps them, so that it is known at once.

    `bound`: tasks that are bound to this device.
    """
    return _fits(device_id, sys.intern(facts), sys.intern(content), bound)


@lru_cache(maxsize=1 << 16)
def _fits(device_id: str, facts: str, content: str, bound: bool) -> bool:
    device = Device(device_id, "", load_facts(facts))
    task = demand.candidate(load(Demand, content), device_id=device_id if bound else None)
    return scheduler.can_run(device, task)


def _line(connection: Connection, device_id: str | None, demand_id: int) -> Iterator[Candidate]:
    begin, size = 0, 1
    while rows := _LINE.all(connection, device_id_=device_id, demand_id_=demand_id, begin_=begin, size_=size):
        for row in rows:
            yield _candidate(connection, _queued(row))
        if len(rows) < size:
            return
        begin, size = begin + size, min(_PAGE * size, _LARGEST_PAGE)


def _queued(row: "Row[tuple[object, ...]]") -> QueuedTask:
    return QueuedTask._make(row)


def _candidate(connection: Connection, row: QueuedTask) -> Candidate:
    asked = load(Demand, row.content)
    return Candidate(
        task_id=row.id,
        kind=TaskKind(row.kind),
        job_id=row.job_id,
        priority=row.priority,
        runtime=asked.runtime,
        runtime_version=asked.runtime_version,
        placement=asked.placement,
        class_key=asked.class_key,
        device_id=row.device_id,
        conditions=asked.conditions,
        history=_faults(connection, row.id) if row.met_fault else (),
        variant=asked.variant,
    )


def _faults(connection: Connection, task_id: int) -> tuple[AttemptEnd, ...]:
    """Only faults of devices matter to scheduling, and they are rare."""
    rows = _FAULTS.all(connection, task_id_=task_id)
    return tuple(AttemptEnd(AttemptState(row.state), row.device_id, FailureKind(row.failure_kind)) for row in rows)


def _select_ready() -> "Select[tuple[object, ...]]":
    met_fault = (
        select(1)
        .where(t.attempt.c.task_id == t.task.c.id, t.attempt.c.failure_kind.is_not(None))
        .correlate(t.task)
        .exists()
    )
    columns = (t.task.c.id, t.task.c.kind, t.task.c.job_id, t.task.c.priority, t.task.c.device_id)
    return (
        select(*columns, met_fault.label("met_fault"), t.demand.c.content)
        .join(t.demand, t.demand.c.id == t.task.c.demand_id)
        .where(t.READY)
        .order_by(*t.BEST_FIRST)
    )


def _select_demands() -> "Select[tuple[object, ...]]":
    """One look into the index task_by_state per demand, where DISTINCT would read all tasks."""
    mine = t.READY & t.task.c.device_id.is_not_distinct_from(bindparam("device_id_"))
    first = select(t.task.c.demand_id).where(mine).order_by(t.task.c.demand_id).limit(1).subquery("first")
    line = select(first.c.demand_id).cte("line", recursive=True)
    following = (
        select(t.task.c.demand_id)
        .where(mine, t.task.c.demand_id > line.c.demand_id)
        .order_by(t.task.c.demand_id)
        .limit(1)
        .correlate(line)
        .scalar_subquery()
    )
    line = line.union_all(select(following).where(line.c.demand_id.is_not(None)))
    return select(line.c.demand_id, t.demand.c.content).join(t.demand, t.demand.c.id == line.c.demand_id)


_ALL = PreparedStatement(_select_ready())
_LINE = PreparedStatement(
    _select_ready()
    .where(
        t.task.c.device_id.is_not_distinct_from(bindparam("device_id_")),
        t.task.c.demand_id == bindparam("demand_id_"),
    )
    .limit(bindparam("size_"))
    .offset(bindparam("begin_"))
)
_DEMANDS = PreparedStatement(_select_demands())
_FAULTS = PreparedStatement(
    select(t.attempt.c.state, t.attempt.c.device_id, t.attempt.c.failure_kind)
    .where(t.attempt.c.task_id == bindparam("task_id_"), t.attempt.c.failure_kind.is_not(None))
    .order_by(t.attempt.c.number)
)
