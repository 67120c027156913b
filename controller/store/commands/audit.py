"""Appends to the audit log, in the transaction of what an entry tells."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, insert

from controller.core.audit_chain import ChainLink, detail_text, link_digest
from controller.model.access import Caller
from controller.model.audit import AuditHead, Deed
from controller.store import audit_tables as t
from controller.store.clock import now_text
from controller.store.queries.audit import audit_head

T = TypeVar("T")
_LONGEST = 500


def noted(
    connection: Connection, *, change: Callable[[Connection], T], by: Caller, tell: Callable[[T], Deed | None]
) -> T:
    """Runs a change and notes it: both are kept, or neither is. `tell` says None where nothing was done."""
    answer = change(connection)
    if (deed := tell(answer)) is not None:
        note_deed(connection, deed, by=by)
    return answer


def note_deed(connection: Connection, deed: Deed, *, by: Caller) -> None:
    before = audit_head(connection)
    link = ChainLink(
        number=before.number + 1,
        at=now_text(),
        user=by.user[:_LONGEST],
        role=by.role.value,
        action=deed.action,
        subject=deed.subject[:_LONGEST],
        detail=detail_text({name: value[:_LONGEST] for name, value in deed.detail.items()}),
    )
    connection.execute(
        insert(t.audit).values(
            number=link.number,
            at=link.at,
            user=link.user,
            role=link.role,
            action=link.action,
            subject=link.subject,
            detail=link.detail,
            sha256=link_digest(before.sha256, link),
        )
    )


def keep_seal(connection: Connection, head: AuditHead, *, signature: str) -> None:
    """Kept beside those before it, which go on to say what they said."""
    connection.execute(
        insert(t.audit_seal).values(number=head.number, sha256=head.sha256, sealed_at=now_text(), signature=signature)
    )
