"""Opens the database: its version, its one writing connection, and as many read-only ones as are wanted.

A change of tables.py needs a revision in migrations/versions, and HEAD here; views and triggers are made anew wherever
they differ.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool, StaticPool

from controller.model.codec import Unreadable
from controller.store import access_tables, audit_tables, incidents, interleaved_tables, part_tables, tables
from controller.store.sqlite.file import read_only_uri, refuse_foreign
from controller.store.sqlite.result_codes import ResultCode, result_code
from controller.store.sqlite.triggers import TRIGGERS
from controller.store.sqlite.views import VIEWS
from jetfleet.errors import BadInput, Corrupt, DatabaseTooNew, DiskFull, Infrastructure

FILE_NAME = "fleet.db"
HEAD = "0018"
_VIEWS = {name: statement.strip() for name, statement in VIEWS.items()}
# Every module that declares tables: a new database is made of what they have put into tables.metadata.
_DECLARING = (tables, access_tables, audit_tables, incidents, interleaved_tables, part_tables)
_MIGRATIONS = Path(__file__).parent.parent / "migrations"


def open_database(state_dir: Path) -> Engine:
    """The writing engine, on a database of this version. Raises DatabaseTooNew for one from the future, BadInput for
    one that is somebody else's.
    """
    path = state_dir / FILE_NAME
    _look_before_writing(path)
    engine = _writing_engine(path)
    try:
        with engine.connect() as connection:
            current = _version(connection)
            stale = current != HEAD or not _has_all(connection)
        if current is None:
            _create(engine)
        elif stale:
            _migrate(path, engine, current)
    except DatabaseError as error:
        raise translated(error, path) from error
    return engine


def _look_before_writing(path: Path) -> None:
    """Whoever opens a database to write changes its file: its journal, if nothing else."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(read_only_uri(path), uri=True, timeout=5.0)) as connection:
            refuse_foreign(connection, path)
    except sqlite3.DatabaseError as error:
        raise translated(DatabaseError("", {}, error), path) from error


def reading_engine(path: Path) -> Engine:
    """Read-only connections; a statement that runs for too long is broken off by the caller's progress handler."""
    return create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(read_only_uri(path), uri=True, check_same_thread=False, timeout=5.0),
        poolclass=QueuePool,
        pool_size=4,
        isolation_level="AUTOCOMMIT",
    )


def translated(error: DatabaseError, path: Path) -> Exception:
    """What a database error means for a user; the error itself where it means a bug."""
    code = result_code(error.orig)
    if code is ResultCode.FULL:
        return DiskFull(f"no space left for {path}", hint="free some space; nothing acknowledged was lost")
    if code in (ResultCode.IOERR, ResultCode.CANTOPEN, ResultCode.READONLY):
        return Infrastructure(f"cannot read or write {path}: {error.orig}", hint="check the disk and its permissions")
    if code in (ResultCode.NOTADB, ResultCode.CORRUPT):
        return Infrastructure(f"{path} is not a usable database: {error.orig}", hint="restore it from a backup")
    return error


def refusal_of(error: Exception, path: Path) -> Exception:
    """What a user is told of an error of one change or one look; the error itself where it means a bug."""
    if isinstance(error, Unreadable):
        return Corrupt(f"{path} holds a row that cannot be read: {error}", hint="`controller fsck` names it")
    if isinstance(error, OverflowError):
        return BadInput(f"a number beyond 64 bits: {error}", expected=f"at most {2**63 - 1}")
    return translated(error, path) if isinstance(error, DatabaseError) else error


def _writing_engine(path: Path) -> Engine:
    """One connection for good. Transactions are begun by hand, because group commit needs BEGIN IMMEDIATE."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # no text: a folder may be called by what a URL means something by
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "timeout": 30.0},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _version(connection: Connection) -> str | None:
    """The revision this database stands at, None for an empty one, without importing alembic."""
    known = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")).first()
    if known is None:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _create(engine: Engine) -> None:
    """A new database, as the revisions would make it, without alembic: to load that takes 0.1 s of CPU."""
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            tables.metadata.create_all(connection)
            connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
            connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
            for statement in (*_VIEWS.values(), *TRIGGERS.values()):
                connection.exec_driver_sql(statement)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def _migrate(path: Path, engine: Engine, current: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current not in known:
        raise DatabaseTooNew(
            f"{path} was written by a newer version (schema {current}, this version knows {HEAD})",
            hint="upgrade this controller, or give it another --state folder",
        )
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        # Tables are replaced by new ones of their name: what refers to them is looked at afterwards.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            others = _drop_views(connection)
            _upgrade(lambda: command.upgrade(config, HEAD), path)
            for name in _statements(connection, "trigger").keys() & TRIGGERS.keys():
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
            for statement in (*_VIEWS.values(), *TRIGGERS.values(), *others):
                connection.exec_driver_sql(statement)
            _check_references(connection, path)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _upgrade(run: Callable[[], None], path: Path) -> None:
    """Revisions read what older versions wrote, where it still is that. Raises Infrastructure."""
    try:
        run()
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Infrastructure(
            f"{path} cannot be migrated: a row cannot be read ({error})",
            hint="nothing was changed; restore it from a backup",
        ) from error


def _has_all(connection: Connection) -> bool:
    """Whether every view and every trigger is there as this version has it."""
    views, triggers = _statements(connection, "view"), _statements(connection, "trigger")
    return _VIEWS.items() <= views.items() and TRIGGERS.items() <= triggers.items()


def _statements(connection: Connection, kind: str) -> dict[str, str]:
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = :kind"), {"kind": kind})
    return {row.name: row.sql for row in rows}


def _drop_views(connection: Connection) -> list[str]:
    """No table can be replaced under a view. Returns the text of those that are not ours."""
    found = _statements(connection, "view")
    for name in found:
        connection.exec_driver_sql(f'DROP VIEW "{name}"')
    return [sql for name, sql in found.items() if name not in _VIEWS]


def _check_references(connection: Connection, path: Path) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise Infrastructure(
            f"{path} cannot be migrated: a row of {broken[0]} refers to a row of {broken[2]} that is not there",
            hint="nothing was changed; restore it from a backup",
        )
