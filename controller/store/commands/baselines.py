"""Naming and moving baselines. Earlier ones stay: where a baseline was, and since when it is where it is."""

from dataclasses import replace

from sqlalchemy import Connection, insert

from controller.model.baseline import NAME, Baseline
from controller.store import tables as t
from controller.store.clock import now_text, parse
from controller.store.queries.jobs import job_row
from jetfleet.errors import BadInput

_LONGEST_CLASS = 200


def set_baseline(connection: Connection, *, asked: Baseline, by: str) -> Baseline:
    """Raises BadInput for a name that may be mistaken for a job, NotFound for a job that is not there."""
    if not NAME.fullmatch(asked.name):
        raise BadInput(
            f"{asked.name[:80]!r} is not a valid name of a baseline",
            expected="a letter, then letters, digits and ._/- (main, release/2.1)",
        )
    if len(asked.device_class) > _LONGEST_CLASS:
        raise BadInput("the device class is too long", expected=f"at most {_LONGEST_CLASS} characters")
    job_row(connection, asked.job_id)
    when = now_text()
    connection.execute(
        insert(t.baseline).values(
            name=asked.name, device_class=asked.device_class, job_id=asked.job_id, set_at=when, set_by=by
        )
    )
    return replace(asked, set_at=parse(when), set_by=by)
