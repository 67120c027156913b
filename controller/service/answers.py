"""Answers that must fit into a message: as much of a plan, and as many rows of results."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from controller.model.result import Row
from controller.model.view import Submitted
from controller.wire.result import ROW
from controller.wire.view import SUBMITTED
from jetfleet.plural import are, counted
from jetfleet.v1 import control_pb2

# Tasks of a plan that a submit is answered with.
_TOLD_TASKS = 5000

# A page of results: rows hold their rounds, and a message holds 4 MiB.
PAGE_ROWS = 200
_PAGE_BYTES = 2 << 20


async def answer_of(submitted: Submitted) -> control_pb2.SubmitJobResponse:
    return await asyncio.to_thread(lambda: SUBMITTED.encode(told_of(submitted)))


def told_of(submitted: Submitted) -> Submitted:
    """As much of a plan as fits into a message, and a note of what is left out."""
    more = len(submitted.tasks) - _TOLD_TASKS
    if more <= 0:
        return submitted
    notes = (*submitted.notes, f"{counted(more, 'more task')} {are(more)} planned and not listed here")
    return replace(submitted, tasks=submitted.tasks[:_TOLD_TASKS], notes=notes)


def results_page(rows: Sequence[Row], *, asked: int) -> control_pb2.ResultsResponse:
    """As many rows as fit, one at least; `more` if the caller asked for more than that and there may be some."""
    answer, size = control_pb2.ResultsResponse(), 0
    for row in rows:
        message = ROW.encode(row)
        size += message.ByteSize()
        if answer.rows and size > _PAGE_BYTES:
            break
        answer.rows.append(message)
    answer.more = len(answer.rows) < asked and (len(answer.rows) < len(rows) or len(rows) == PAGE_ROWS)
    return answer
