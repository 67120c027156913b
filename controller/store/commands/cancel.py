"""The wish to cancel a job."""

from sqlalchemy import Connection, update

from controller.model.task import TaskState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.attempts import end_unwanted_builds
from controller.store.commands.deadlines import end_unbegun
from controller.store.commands.rows import rank_builds
from controller.store.queries.jobs import is_over, job_row


def cancel(connection: Connection, job_id: int) -> None:
    """Ends what has not begun; what runs learns of it at its next Renew. Cancelling twice changes nothing."""
    job = job_row(connection, job_id)
    if job.cancel_asked_at is None and not is_over(connection, job_id):
        connection.execute(update(t.job).where(t.job.c.id == job_id).values(cancel_asked_at=now_text()))
    end_unbegun(connection, job_id, TaskState.CANCELLED)
    end_unwanted_builds(connection)
    rank_builds(connection, job_id)
