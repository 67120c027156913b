"""Jobs on their way into the database: planned beside the writer, written piece by piece, each key once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from controller.model.audit import Deed
from controller.model.view import Submitted
from controller.service.audit import audited
from controller.service.context import ServiceContext
from controller.store.commands.submit import Submission, discard
from controller.store.queries.jobs import known_job
from jetfleet.errors import JetfleetError

log = logging.getLogger(__name__)

Planner: TypeAlias = Callable[[], Awaitable[Submission]]
Teller: TypeAlias = Callable[[Submitted], Deed | None]


class Submissions:
    """A submit that was begun goes on without its caller: who asks again, with the same key, gets its answer."""

    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self._running: dict[tuple[str, str], asyncio.Task[Submitted]] = {}

    async def submit(self, key: str, content: str, planned: Planner, *, tell: Teller) -> Submitted:
        """`content` is the digest of what is asked for. Raises BadInput if the key was used for something else."""
        running = self._running.get((key, content))
        if running is None:
            running = asyncio.create_task(self._submit(key, content, planned, tell))
            self._running[key, content] = running
            running.add_done_callback(lambda _: self._running.pop((key, content)))
        return await asyncio.shield(running)

    async def _submit(self, key: str, content: str, planned: Planner, tell: Teller) -> Submitted:
        known = await self._service.read(partial(known_job, key=key, content=content))
        if known is not None:
            return known
        submission = await planned()
        try:
            return await self._write(submission, tell)
        except BaseException:
            await self._discard(key)
            raise

    async def _write(self, submission: Submission, tell: Teller) -> Submitted:
        step = audited(submission.step, lambda answer: None if answer is None else tell(answer))
        while True:
            answer = await self._service.write(step)
            if answer is not None:
                return answer

    async def _discard(self, key: str) -> None:
        try:
            while await self._service.write(partial(discard, key=key)):
                pass
        except JetfleetError:
            log.warning("a part of a job that was not accepted stays until the controller starts again")
