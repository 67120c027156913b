"""Boards that enrolled, with their newest certificates."""

from sqlalchemy import Connection, select

from controller.model.access import Member
from controller.model.codec import load
from controller.store import access_tables as t
from controller.store.clock import parse
from controller.store.stored import StoredRow


def members(connection: Connection) -> dict[str, Member]:
    """By the id that their certificates name."""
    return {row.device_id: _member(row) for row in connection.execute(select(t.member))}


def _member(row: StoredRow) -> Member:
    return Member(
        device_id=row.device_id,
        name=row.name,
        labels=load(dict[str, str], row.labels),
        hardware_serial=row.hardware_serial,
        key_sha256=row.key_sha256,
        issued_at=parse(row.issued_at),
        expires_at=parse(row.expires_at),
        revoked_at=row.revoked_at and parse(row.revoked_at),
    )
