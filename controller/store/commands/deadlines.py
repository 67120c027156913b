"""Jobs whose deadline passes: what has not begun times out at once, what runs is asked to stop and times out then."""

from sqlalchemy import Connection, select, update

from controller.model.task import TaskKind, TaskState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.attempts import end_unwanted_builds, move
from controller.store.commands.rows import rank_builds
from controller.store.queries.jobs import overdue_jobs


def time_out_overdue(connection: Connection) -> list[int]:
    """Ends the jobs that are overdue; returns them. A BUILD that others want goes on for them."""
    late = overdue_jobs(connection)
    for job_id in late:
        now = now_text()
        connection.execute(update(t.job).where(t.job.c.id == job_id).values(cancel_asked_at=now, timed_out_at=now))
        end_unbegun(connection, job_id, TaskState.TIMED_OUT)
    if late:
        end_unwanted_builds(connection)
    for job_id in late:
        rank_builds(connection, job_id)
    return late


def end_unbegun(connection: Connection, job_id: int, end: TaskState) -> None:
    """Moves the BENCHes of a job that wait, or are READY, to their end."""
    rows = connection.execute(
        select(t.task.c.id).where(
            t.task.c.job_id == job_id,
            t.task.c.kind == TaskKind.BENCH.value,
            t.task.c.state.in_((TaskState.WAITING.value, TaskState.READY.value)),
        )
    ).scalars()
    for task_id in list(rows):
        move(connection, task_id, end)
