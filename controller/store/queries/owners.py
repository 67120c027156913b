"""Whose jobs, sessions and files are: what decides whether a caller may touch them."""

from collections.abc import Iterator

from sqlalchemy import Connection, or_, select

from controller.model.codec import load
from controller.model.job import Artifact
from controller.model.lease import BuildWork, Lease
from controller.store import tables as t
from controller.store.clock import now_text, seconds_between
from controller.store.commands.claim import lease_of
from controller.store.queries.jobs import job_row
from controller.store.queries.tasks import OPEN_STATES
from jetfleet.errors import StaleSession

# A board that was cut off may bring what it made for so long; it does not count, and is kept with its label.
_LATE_S = 7 * 24 * 3600.0


def submitter(connection: Connection, job_id: int) -> str:
    """Raises NotFound."""
    return str(job_row(connection, job_id).submitted_by)


def device_of_session(connection: Connection, session_id: str) -> set[str]:
    """The ids that mean the session's device: its own, and those that a person said are the same. Empty: no session."""
    row = connection.execute(
        select(t.device.c.id, t.device.c.also_ids)
        .join(t.session, t.session.c.device_id == t.device.c.id)
        .where(t.session.c.id == session_id)
    ).first()
    return set() if row is None else {row.id, *load(dict[str, str], row.also_ids)}


def has_lease(connection: Connection, device_id: str) -> bool:
    """Does the device work on something, or may it still bring what it worked on?"""
    attempts = connection.execute(
        select(t.attempt.c.state, t.attempt.c.ended_at, t.attempt.c.outcome_sha256)
        .where(t.attempt.c.device_id.in_(_meant(connection, device_id)))
        .where(or_(t.attempt.c.state.in_(OPEN_STATES), t.attempt.c.outcome_sha256.is_(None)))
        .order_by(t.attempt.c.leased_at.desc())
        .limit(1)
    ).all()
    return any(
        row.state in OPEN_STATES or seconds_between(row.ended_at or now_text(), None) < _LATE_S for row in attempts
    )


def refuse_left(connection: Connection, device_id: str) -> None:
    """Raises StaleSession for a board whose agent has left, and has not registered since."""
    meant = _meant(connection, device_id)
    here = select(t.device.c.id).where(t.device.c.id.in_(meant), t.device.c.session_id.is_not(None))
    if connection.execute(here).first() is None:
        raise StaleSession("this board has left the fleet: it registers again before it sends files")


def leased_files(connection: Connection, device_id: str) -> set[str]:
    """The digests of the files that the live leases of the device name."""
    rows = connection.execute(
        select(t.attempt.c.token, t.attempt.c.task_id)
        .where(t.attempt.c.device_id.in_(_meant(connection, device_id)))
        .where(t.attempt.c.state.in_(OPEN_STATES))
    ).all()
    leases = [lease_of(connection, row.token, row.task_id) for row in rows]
    return {item.sha256 for lease in leases for item in _files(lease)}


def _files(lease: Lease) -> Iterator[Artifact]:
    """What the controller handed out as files, and no text: the version of a runtime is a board's own word."""
    work = lease.work
    if isinstance(work, BuildWork):
        yield from (*work.recipe.artifacts, *work.timing_caches)
        return
    for subject in work.subjects:
        yield from (subject.engine, *subject.artifacts)


def _meant(connection: Connection, device_id: str) -> list[str]:
    """The devices that a certificate's id means: itself, or the one that it was adopted as."""
    rows = connection.execute(select(t.device.c.id, t.device.c.also_ids).where(t.device.c.also_ids != "{}")).all()
    return [device_id, *(str(row.id) for row in rows if device_id in load(dict[str, str], row.also_ids))]
