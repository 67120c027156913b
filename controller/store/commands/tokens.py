"""Tokens of people and CI: made, looked up by digest, revoked. A name is never used twice."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from controller.model.access import SCOPES, TokenView
from controller.store import access_tables as t
from controller.store.clock import now_text, parse, text_of
from controller.store.stored import StoredRow
from jetfleet.errors import BadInput, Conflict, NotFound

_LONGEST_NAME = 100


def create_token(
    connection: Connection, name: str, *, scope: str, secret_sha256: str, by: str, expires_at: datetime | None
) -> TokenView:
    """Raises BadInput, and Conflict for a name that was used, be it for a token that is revoked."""
    if scope not in [item.value for item in SCOPES]:
        raise BadInput(f"{scope!r} is not a valid scope", expected="reader, submitter or admin")
    if not name.isprintable() or not name.strip() or name != name.strip() or len(name) > _LONGEST_NAME:
        raise BadInput(f"{name!r} is not a valid name", expected=f"some text of at most {_LONGEST_NAME} characters")
    if connection.execute(select(t.token.c.name).where(t.token.c.name == name)).first():
        raise Conflict(
            f"a token was made for {name} before",
            expected="a new name: what was done with the old one stays its own",
            hint="`controller token list` shows all",
        )
    connection.execute(
        insert(t.token).values(
            name=name,
            scope=scope,
            secret_sha256=secret_sha256,
            created_at=now_text(),
            created_by=by,
            expires_at=None if expires_at is None else text_of(expires_at),
        )
    )
    return _token(connection, name)


def revoke_token(connection: Connection, name: str) -> TokenView:
    """Raises NotFound. Revoked twice: it was the first time."""
    _token(connection, name)
    connection.execute(
        update(t.token).where(t.token.c.name == name, t.token.c.revoked_at.is_(None)).values(revoked_at=now_text())
    )
    return _token(connection, name)


def tokens(connection: Connection) -> list[TokenView]:
    """Oldest first."""
    rows = connection.execute(select(t.token).order_by(t.token.c.created_at, t.token.c.name)).all()
    return [_view(row) for row in rows]


def token_digests(connection: Connection) -> dict[str, TokenView]:
    """Those that are not revoked, by the digest of their secret."""
    rows: Sequence[StoredRow] = connection.execute(select(t.token).where(t.token.c.revoked_at.is_(None))).all()
    return {row.secret_sha256: _view(row) for row in rows}


def _token(connection: Connection, name: str) -> TokenView:
    row = connection.execute(select(t.token).where(t.token.c.name == name)).first()
    if row is None:
        raise NotFound(f"there is no token of {name}", hint="`controller token list` shows all")
    return _view(row)


def _view(row: StoredRow) -> TokenView:
    return TokenView(
        name=row.name,
        scope=row.scope,
        created_at=parse(row.created_at),
        created_by=row.created_by,
        expires_at=row.expires_at and parse(row.expires_at),
        revoked_at=row.revoked_at and parse(row.revoked_at),
    )
