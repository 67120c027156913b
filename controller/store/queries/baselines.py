"""Baselines, newest first, earlier ones of a name too."""

from sqlalchemy import Connection, select

from controller.model.baseline import Baseline
from controller.store import tables as t
from controller.store.clock import parse

_MOST = 1000


def baselines(connection: Connection, *, name: str = "") -> list[Baseline]:
    """Of one name, or of all."""
    wanted = select(t.baseline).order_by(t.baseline.c.id.desc()).limit(_MOST)
    if name:
        wanted = wanted.where(t.baseline.c.name == name)
    return [
        Baseline(row.name, row.device_class, row.job_id, parse(row.set_at), row.set_by)
        for row in connection.execute(wanted)
    ]
