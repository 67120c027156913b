"""Which measurements a query is about: the newest that pass its filters, found in bounded time among a million."""

from collections.abc import Sequence
from heapq import nlargest
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from controller.core.select import matches
from controller.model.codec import load_facts
from controller.model.facts import DEVICE_NAME
from controller.model.job import Condition
from controller.model.labels import check_labels
from controller.model.task import Device
from controller.model.view import ResultQuery
from controller.store import tables as t

T = TypeVar("T")

_measured = t.measurement.c


def newest_ids(connection: Connection, query: ResultQuery) -> list[int]:
    """Newest first. Raises BadInput for what cannot be a label."""
    check_labels(query.labels)
    devices = [condition for condition in query.conditions if condition.fact == DEVICE_NAME]
    other_facts = [condition for condition in query.conditions if condition.fact != DEVICE_NAME]
    if devices and not (other_facts or query.job_ids or query.variant_keys or query.labels):
        return _newest_on(connection, _devices(connection, devices), query)
    wanted = select(_measured.id)
    if query.job_ids:
        wanted = wanted.where(_measured.job_id.in_(query.job_ids))
    if query.labels:
        wanted = wanted.where(_measured.job_id.in_(_labelled(query)))
    if query.variant_keys:
        wanted = wanted.join(t.variant, t.variant.c.id == _measured.variant_id)
        wanted = wanted.where(t.variant.c.key.in_(query.variant_keys))
    if devices:
        wanted = wanted.where(_unindexed(_measured.device_id).in_(_devices(connection, devices)))
    if other_facts:
        wanted = wanted.where(_unindexed(_measured.facts_id).in_(_matching_facts(connection, other_facts)))
    return list(connection.execute(_newest(wanted, query)).scalars())


def _unindexed(column: ColumnElement[T]) -> ColumnElement[T]:
    """So that measurements are looked at from the newest on, until there are enough, or those of a job: by an index of
    the column SQLite would sort all that passes, up to a million.
    """
    return func.coalesce(column, column)


def _newest_on(connection: Connection, device_ids: Sequence[str], query: ResultQuery) -> list[int]:
    """Of each device from its index: of several at once, SQLite would sort all that they ever measured."""
    found: list[int] = []
    for device_id in device_ids:
        of_device = select(_measured.id).where(_measured.device_id == device_id)
        found += connection.execute(_newest(of_device, query)).scalars()
    return nlargest(query.limit, found)


def _newest(wanted: Select[int], query: ResultQuery) -> Select[int]:
    """A whole task of several variants is of none of them."""
    wanted = wanted.where(_measured.variant_id.is_not(None))
    if query.except_job_ids:
        wanted = wanted.where(_measured.job_id.not_in(query.except_job_ids))
    if query.before_id is not None:
        wanted = wanted.where(_measured.id < query.before_id)
    return wanted.order_by(_measured.id.desc()).limit(query.limit)


def _devices(connection: Connection, conditions: Sequence[Condition]) -> list[str]:
    wanted = select(t.device.c.id)
    for condition in conditions:
        wanted = wanted.where(t.device.c.name.in_(condition.values))
    return list(connection.execute(wanted).scalars())


def _matching_facts(connection: Connection, conditions: Sequence[Condition]) -> list[int]:
    """Snapshots of facts are few, however many measurements were taken under them."""
    return [
        row.id
        for row in connection.execute(select(t.facts))
        if matches(conditions, Device("", "", load_facts(row.content)))
    ]


def _labelled(query: ResultQuery) -> Select[int]:
    wanted = select(t.job.c.id)
    for name, value in query.labels.items():
        wanted = wanted.where(_label(name) == value)
    return wanted


def _label(name: str) -> ColumnElement[str]:
    """The value of one label of the job. A name may hold dots, so its path is quoted."""
    labels = t.job.c.labels
    return case((func.json_valid(labels), func.json_extract(labels, f'$."{name}"')))
