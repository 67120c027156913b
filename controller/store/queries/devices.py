"""Devices and sessions as planning, claims and people see them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select

from controller.model.access import Member
from controller.model.codec import load, load_facts
from controller.model.task import Device
from controller.model.view import DeviceView
from controller.store import incidents
from controller.store import tables as t
from controller.store.clock import parse
from controller.store.queries.dead_letters import dead_letters
from controller.store.queries.members import members
from controller.store.queries.tasks import OPEN_STATES
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.stored import StoredRow
from jetfleet.errors import StaleSession


class CurrentDevice(NamedTuple):
    """The device of a session, with its facts as the database keeps them."""

    device: Device
    facts_id: int
    facts: str


def current_device(connection: Connection, session_id: str) -> CurrentDevice:
    """Raises StaleSession if it is not the current one."""
    row = _OF_SESSION.first(connection, session_id_=session_id)
    if row is None:
        raise StaleSession(f"session {session_id[:8]} is not open", hint="register again")
    return CurrentDevice(_device(row, alive={session_id}), row.facts_id, row.content)


def planning_devices(connection: Connection, *, alive: Collection[str]) -> list[Device]:
    """Every device ever seen, offline ones included, oldest first."""
    return [_device(row, alive=alive) for row in connection.execute(_listed().order_by(t.device.c.first_seen_at))]


def device_views(
    connection: Connection,
    *,
    alive: Collection[str],
    paused: Mapping[str, str],
    after: str = "",
    limit: int | None = None,
) -> list[DeviceView]:
    """By name, those `after` one. `paused` says of sessions why they take no work."""
    enrolled = members(connection)
    busy = {
        row.device_id: row.name
        for row in connection.execute(
            select(t.attempt.c.device_id, t.task.c.name)
            .join(t.task, t.task.c.id == t.attempt.c.task_id)
            .where(t.attempt.c.state.in_(OPEN_STATES))
        )
    }
    look = _listed().where(t.device.c.name > after).order_by(t.device.c.name).limit(limit)
    return [_view(connection, row, alive, paused, busy, enrolled) for row in connection.execute(look)]


def _view(
    connection: Connection,
    row: StoredRow,
    alive: Collection[str],
    paused: Mapping[str, str],
    busy: Mapping[str, str],
    enrolled: Mapping[str, Member],
) -> DeviceView:
    issued_at, expires_at, revoked_at = _certificate(enrolled, row)
    return DeviceView(
        id=row.id,
        name=row.name,
        online=row.session_id in alive,
        busy_with=busy.get(row.id, ""),
        cordoned=row.cordoned,
        facts=load_facts(row.content),
        last_seen_at=parse(row.last_seen_at),
        bench_domain=row.bench_domain or "",
        agent_version=row.agent_version or "",
        paused=paused.get(row.session_id or "", ""),
        dead_letters=dead_letters(connection, incidents.dead_letter.c.device_id == row.id),
        certificate_issued_at=issued_at,
        certificate_expires_at=expires_at,
        certificate_revoked_at=revoked_at,
        late_results=connection.execute(_LATE, {"device": row.id}).scalar_one(),
        dropped_results=row.dropped_results,
    )


_LATE = select(func.count()).where(incidents.orphan.c.device_id == bindparam("device"))


def _certificate(
    enrolled: Mapping[str, Member], row: StoredRow
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """When the newest certificate among the ids that mean the device was issued, expires and was revoked."""
    ids = [row.id, *load(dict[str, str], row.also_ids)]
    own = sorted((enrolled[item] for item in ids if item in enrolled), key=lambda item: item.issued_at)
    if not own:
        return None, None, None
    newest = own[-1]
    is_revoked = newest.revoked_at is not None and newest.issued_at <= newest.revoked_at
    return newest.issued_at, newest.expires_at, newest.revoked_at if is_revoked else None


def known_ids(connection: Connection) -> set[str]:
    """Of all devices, those that were removed and those that mean another one included."""
    rows = connection.execute(select(t.device.c.id, t.device.c.also_ids)).all()
    return {row.id for row in rows}.union(*(load(dict[str, str], row.also_ids) for row in rows))


class OpenBoard(NamedTuple):
    """A device with an open session; its facts as the database keeps them."""

    device_id: str
    bench_domain: str
    facts: str


def open_boards(connection: Connection) -> dict[str, OpenBoard]:
    """By session."""
    rows = connection.execute(_devices().where(t.device.c.session_id.is_not(None)))
    return {row.session_id: OpenBoard(row.id, row.bench_domain or "", row.content) for row in rows}


def _devices() -> Select[Any]:
    return (
        select(t.device, t.facts.c.content, t.session.c.bench_domain, t.session.c.agent_version)
        .join(t.facts, t.facts.c.id == t.device.c.facts_id)
        .outerjoin(t.session, t.session.c.id == t.device.c.session_id)
    )


def _listed() -> Select[Any]:
    """All but those that somebody removed."""
    return _devices().where(t.device.c.held != "removed")


def _device(row: StoredRow, *, alive: Collection[str]) -> Device:
    return Device(
        id=row.id,
        name=row.name,
        facts=load_facts(row.content),
        bench_domain=row.bench_domain or "",
        online=row.session_id in alive,
        cordoned=row.cordoned,
    )


_OF_SESSION = PreparedStatement(_devices().where(t.device.c.session_id == bindparam("session_id_")))
