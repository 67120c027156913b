"""Boards that enrol: invitations, each good for one board and one time, and the certificates that came of them."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from controller.core.enrolment import KnownDevice, device_of_claim
from controller.model.access import EnrolmentClaim, Welcome
from controller.model.codec import dump, load
from controller.model.labels import check_labels
from controller.store import access_tables as t
from controller.store import tables
from controller.store.clock import now_text, parse, text_of
from controller.store.queries.members import members
from controller.store.stored import StoredRow
from jetfleet.errors import Denied, NotFound


def invite(
    connection: Connection, secret_sha256: str, *, name: str, labels: Mapping[str, str], by: str, expires_at: datetime
) -> None:
    """Raises BadInput for labels that are none."""
    check_labels(labels)
    connection.execute(
        insert(t.invitation).values(
            secret_sha256=secret_sha256,
            name=name,
            labels=dump(dict(labels)),
            created_at=now_text(),
            created_by=by,
            expires_at=text_of(expires_at),
        )
    )


def accept(connection: Connection, secret_sha256: str, claim: EnrolmentClaim, *, alive: Collection[str]) -> Welcome:
    """Uses an invitation up, and says which device its board is. Raises Denied, and Conflict, which uses nothing up."""
    row = usable_invitation(connection, secret_sha256)
    device_id = device_of_claim(claim, row.name, _known(connection, alive), new_id=uuid.uuid4().hex)
    used = connection.execute(
        update(t.invitation)
        .where(t.invitation.c.id == row.id, t.invitation.c.used_at.is_(None))
        .values(used_at=now_text(), used_by=device_id)
    )
    if used.rowcount != 1:
        raise Denied("the token of this enrolment was used before")
    before = _member_row(connection, device_id)
    revoked = parse(before.revoked_at) if before is not None and before.revoked_at else None
    return Welcome(device_id, row.name, load(dict[str, str], row.labels), revoked)


def usable_invitation(connection: Connection, secret_sha256: str) -> StoredRow:
    """Raises Denied."""
    row = connection.execute(select(t.invitation).where(t.invitation.c.secret_sha256 == secret_sha256)).first()
    if why := _unusable(row):
        raise Denied(
            f"the token of this enrolment {why}", hint="on the controller: `controller enroll new` prints a new line"
        )
    return row


def _unusable(row: StoredRow | None) -> str:
    if row is None:
        return "is not known here"
    if row.used_at is not None:
        return "was used before"
    return "has expired" if row.expires_at <= now_text() else ""


def keep_member(
    connection: Connection, welcome: Welcome, claim: EnrolmentClaim, *, issued_at: datetime, expires_at: datetime
) -> None:
    """A board's first certificate, or that of a board that came back: all that were issued before are not valid."""
    values = {
        "name": welcome.name,
        "labels": dump(dict(welcome.labels)),
        "hardware_serial": claim.hardware_serial,
        "key_sha256": claim.key_sha256,
        "enrolled_at": now_text(),
        "issued_at": text_of(issued_at),
        "expires_at": text_of(expires_at),
    }
    connection.execute(
        sqlite_insert(t.member)
        .values(device_id=welcome.device_id, **values)
        .on_conflict_do_update(index_elements=["device_id"], set_=values)
    )
    connection.execute(
        update(tables.device)
        .where(tables.device.c.id == welcome.device_id, tables.device.c.held == "removed")
        .values(held="", cordoned="")
    )


def keep_renewal(
    connection: Connection, device_id: str, *, held_key: str, key_sha256: str, issued_at: datetime, expires_at: datetime
) -> None:
    """For who holds `held_key`. Raises Denied where the board was revoked, or enrolled anew, while it asked."""
    held = members(connection).get(device_id)
    if held is None or held.key_sha256 != held_key or (held.revoked_at and held.issued_at <= held.revoked_at):
        raise Denied("the certificate of this board is not valid any more")
    connection.execute(
        update(t.member)
        .where(t.member.c.device_id == device_id)
        .values(key_sha256=key_sha256, issued_at=text_of(issued_at), expires_at=text_of(expires_at))
    )


class RevokedDevice(NamedTuple):
    """`ids` are all that mean it: its own, and those that a person said are the same board."""

    device_id: str
    name: str
    ids: tuple[str, ...]


def revoke_device(connection: Connection, name: str) -> RevokedDevice:
    """By the name or an id. Raises NotFound for a device that is not known or never enrolled."""
    found = _named(connection, name)
    enrolled = connection.execute(select(t.member.c.device_id).where(t.member.c.device_id.in_(found.ids))).scalars()
    if not (ids := list(enrolled)):
        raise NotFound(
            f"{found.name} never enrolled: there is nothing to revoke", hint="it came over the controller's socket"
        )
    connection.execute(update(t.member).where(t.member.c.device_id.in_(ids)).values(revoked_at=now_text()))
    return found


def _named(connection: Connection, name: str) -> RevokedDevice:
    """As the list of devices has it; else a board that enrolled by this name or id, and what that is a device of."""
    devices = connection.execute(select(tables.device.c.id, tables.device.c.name, tables.device.c.also_ids)).all()
    listed = next((row for row in devices if name in (row.id, row.name)), None)
    if listed is None:
        wanted = (t.member.c.device_id == name) | (t.member.c.name == name)
        member_id = connection.execute(select(t.member.c.device_id).where(wanted)).scalar()
        if member_id is None:
            raise NotFound(f"no device is called {name}", hint="`controller devices list` shows all")
        listed = next((row for row in devices if member_id in load(dict[str, str], row.also_ids)), None)
        if listed is None:
            return RevokedDevice(member_id, name, (member_id,))
    return RevokedDevice(listed.id, listed.name, (listed.id, *load(dict[str, str], listed.also_ids)))


def _member_row(connection: Connection, device_id: str) -> StoredRow | None:
    return connection.execute(select(t.member).where(t.member.c.device_id == device_id)).first()


def _known(connection: Connection, alive: Collection[str]) -> list[KnownDevice]:
    """Devices that registered, and boards that enrolled and did not register yet."""
    enrolled = members(connection)
    rows = connection.execute(select(tables.device).where(tables.device.c.held != "removed")).all()
    found = [
        KnownDevice(
            device_id=row.id,
            name=row.name,
            hardware_serial=row.hardware_serial,
            key_sha256=enrolled[row.id].key_sha256 if row.id in enrolled else "",
            online=row.session_id in alive,
        )
        for row in rows
    ]
    registered = {item.device_id for item in found}
    waiting = [
        KnownDevice(item.device_id, item.name, item.hardware_serial, item.key_sha256)
        for item in enrolled.values()
        if item.device_id not in registered
    ]
    return found + waiting
