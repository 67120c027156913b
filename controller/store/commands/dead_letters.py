"""Results that cannot be stored as what they say: kept as they came, so that their agents can go on."""

from sqlalchemy import Connection, insert

from controller.model.lease import Outcome
from controller.model.task import Failure, FailureKind
from controller.store import incidents
from controller.store.clock import now_text
from controller.store.commands.incident_bounds import keep_newest
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.stored import StoredRow


def keep_dead_letter(connection: Connection, attempt: StoredRow, outcome: Outcome, reason: str) -> Failure:
    """Keeps the result; returns how the attempt ends instead. It is not tried again: the same would come back."""
    number = _INSERT.run(
        connection,
        attempt_token=attempt.token,
        task_id=attempt.task_id,
        device_id=attempt.device_id,
        reason=reason,
        received_at=now_text(),
        outcome=outcome.raw,
    )
    keep_newest(connection, "dead_letter", attempt.device_id)
    return Failure(
        FailureKind.BAD_INPUT,
        f"its result cannot be taken, and is kept as dead letter {number}: {reason}",
        phase="commit",
    )


_INSERT = PreparedStatement(insert(incidents.dead_letter))
