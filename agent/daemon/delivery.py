"""Brings results to the controller: on disk first, then uploaded, committed, and only then forgotten."""

import asyncio
import logging
from pathlib import Path

from agent.attempt import outputs_of
from agent.daemon.client import Link
from agent.daemon.spool import Spool
from jetfleet.blobs import BlobDir
from jetfleet.errors import BadInput, JetfleetError, StaleAttempt
from jetfleet.plausible import impossible_number
from jetfleet.v1 import task_pb2

log = logging.getLogger(__name__)

_MOST_REFUSALS = 8


class Delivery:
    """The way of a result from an attempt's folder to the controller's acknowledgement."""

    def __init__(self, link: Link, session_id: str, blobs: BlobDir, spool: Spool) -> None:
        self._link, self._session_id, self._blobs, self._spool = link, session_id, blobs, spool
        self._refused: dict[str, int] = {}

    def pending(self) -> list[str]:
        """Attempts whose results are not acknowledged."""
        return self._spool.tokens()

    async def keep(self, token: str, outcome: task_pb2.Outcome, folder: Path) -> None:
        """Files first, then the spool entry: what is spooled is complete."""
        await asyncio.gather(
            *(
                asyncio.to_thread(self._blobs.put_file, folder / "out" / artifact.sha256, artifact.sha256)
                for artifact in outputs_of(outcome)
            )
        )
        await asyncio.to_thread(self._spool.put, token, outcome)

    async def flush(self) -> None:
        """Delivers what is pending, oldest first. Raises what a dead link raises: call it again."""
        for token in self._spool.tokens():
            try:
                await self.commit(token, self._spool.get(token) or _damaged(token))
            except JetfleetError as error:
                if type(error) is not JetfleetError:  # an outage, a session that is not known: it passes
                    raise
                self._count_refusal(token, error)
                continue
            self._spool.drop(token)

    def _count_refusal(self, token: str, error: JetfleetError) -> None:
        """An error that nobody can explain, again and again: the result is set aside, and the agent goes on."""
        self._refused[token] = self._refused.get(token, 0) + 1
        if self._refused[token] < _MOST_REFUSALS:
            raise error
        log.error("attempt %s: set aside after %d tries: %s", token[:8], _MOST_REFUSALS, error.message)
        self._spool.set_aside(token, "refused")

    async def commit(self, token: str, outcome: task_pb2.Outcome) -> None:
        """Brings one result to the controller, whether it is spooled or not."""
        if fault := impossible_number(outcome):
            outcome = infrastructure_failure(f"the result holds a number that cannot be: {fault}", "commit")
        try:
            await asyncio.gather(
                *(
                    self._link.upload(artifact.sha256, self._blobs.path(artifact.sha256))
                    for artifact in outputs_of(outcome)
                )
            )
        except FileNotFoundError as error:
            outcome = infrastructure_failure(f"a file of the result is gone: {error.filename}", "commit")
        except BadInput as error:  # the same again would be refused again
            outcome = infrastructure_failure(f"the controller refuses a file of the result: {error.message}", "commit")
        try:
            state = await self._link.commit(self._session_id, token, outcome)
            log.info("attempt %s committed: the task is %s", token[:8], state)
        except (StaleAttempt, BadInput) as error:
            log.warning("attempt %s: %s", token[:8], error.message)


def _damaged(token: str) -> task_pb2.Outcome:
    """What is said of a result that was damaged on this disk: the work has to be done again."""
    log.error("attempt %s: its spooled result is damaged and was set aside", token[:8])
    return infrastructure_failure("the result was damaged on the agent's disk while it waited for delivery", "commit")


def infrastructure_failure(message: str, phase: str) -> task_pb2.Outcome:
    """An attempt that failed through no fault of its task."""
    failure = task_pb2.Failure(kind=task_pb2.FAILURE_KIND_INFRASTRUCTURE, message=message, phase=phase)
    return task_pb2.Outcome(failure=failure)
