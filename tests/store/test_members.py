"""Certificates that are renewed while something else happens to their board."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Connection

from controller.model.access import EnrolmentClaim, Welcome
from controller.store.commands.members import keep_member, keep_renewal, revoke_device
from controller.store.queries.members import members
from controller.store.sqlite.database import open_database
from jetfleet.errors import Denied


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """With a board that enrolled an hour ago."""
    engine = open_database(tmp_path)
    with engine.connect() as opened:
        opened.exec_driver_sql("BEGIN")
        enrol(opened, key="key", issued_at=moment(-3600))
        yield opened
    engine.dispose()


def moment(later_s: float) -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=later_s)


def enrol(connection: Connection, *, key: str, issued_at: datetime) -> None:
    claim = EnrolmentClaim("board", "board", "serial", key_sha256=key)
    welcome = Welcome("board", "board", {}, None)
    keep_member(connection, welcome, claim, issued_at=issued_at, expires_at=moment(86400))


def renew(connection: Connection, *, held_key: str) -> None:
    """By a certificate that is of later than all that happened."""
    keep_renewal(
        connection, "board", held_key=held_key, key_sha256="next", issued_at=moment(60), expires_at=moment(86400)
    )


def test_the_holder_of_the_key_renews(connection: Connection) -> None:
    renew(connection, held_key="key")
    assert members(connection)["board"].key_sha256 == "next"


def test_a_board_that_is_revoked_while_it_asks_gets_no_certificate(connection: Connection) -> None:
    """Its next one would be of after the revocation, and so be valid."""
    revoke_device(connection, "board")
    with pytest.raises(Denied):
        renew(connection, held_key="key")
    found = members(connection)["board"]
    assert found.revoked_at is not None
    assert found.issued_at <= found.revoked_at


def test_the_holder_of_an_older_key_does_not_take_the_board_back(connection: Connection) -> None:
    enrol(connection, key="key of the flashed board", issued_at=moment(0))
    with pytest.raises(Denied):
        renew(connection, held_key="key")
    assert members(connection)["board"].key_sha256 == "key of the flashed board"


def test_who_never_enrolled_renews_nothing(connection: Connection) -> None:
    with pytest.raises(Denied):
        keep_renewal(connection, "other", held_key="", key_sha256="next", issued_at=moment(0), expires_at=moment(86400))
