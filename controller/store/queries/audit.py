"""The audit log as it is listed, and how far it has come."""

from sqlalchemy import Connection, select

from controller.model.audit import NO_ENTRY, AuditEntry, AuditHead
from controller.model.codec import load
from controller.store import audit_tables as t
from controller.store.clock import parse


def audit_head(connection: Connection) -> AuditHead:
    row = connection.execute(select(t.audit.c.number, t.audit.c.sha256).order_by(t.audit.c.number.desc())).first()
    return AuditHead(row.number, row.sha256) if row else NO_ENTRY


def sealed_head(connection: Connection) -> AuditHead:
    """Of the newest seal."""
    columns = (t.audit_seal.c.number, t.audit_seal.c.sha256)
    row = connection.execute(select(*columns).order_by(t.audit_seal.c.number.desc())).first()
    return AuditHead(row.number, row.sha256) if row else NO_ENTRY


def audit_entries(connection: Connection, *, limit: int, before: int = 0) -> list[AuditEntry]:
    """Newest first; those before entry number `before`, which 0 leaves open."""
    look = select(t.audit).order_by(t.audit.c.number.desc()).limit(limit)
    if before:
        look = look.where(t.audit.c.number < before)
    return [
        AuditEntry(
            number=row.number,
            at=parse(row.at),
            user=row.user,
            role=row.role,
            action=row.action,
            subject=row.subject,
            detail=load(dict[str, str], row.detail),
            sha256=row.sha256,
        )
        for row in connection.execute(look)
    ]
