"""What the command says of jobs that it has just submitted, and how it stays with them."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from controller.cli.failures import worst_exit_code
from controller.cli.settings import Settings, print_message
from jetfleet.plural import counted

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.cli.waiting import Stay
    from controller.model.view import Submitted


def print_submitted(
    settings: Settings,
    client: "Client",
    submitted: "Submitted",
    *,
    wait: bool,
    as_json: bool,
    several: bool = False,
) -> None:
    """The job's number, at once. Who waits for JSON gets it with the results."""
    _print_notes(submitted)
    if not as_json:
        print(submitted.job_id, flush=True)
    elif not wait:
        _print_record(submitted, lines=several)
    if not wait:
        number = submitted.job_id
        print_message(_said(client, submitted))
        print_message(f"  follow:  {settings.command(f'job watch {number}')}")
        print_message(f"  results: {settings.command(f'results {number}')}")


def _said(client: "Client", submitted: "Submitted") -> str:
    """The answer to a key that was submitted before names no tasks: the job does."""
    if not submitted.repeated_request:
        return f"submitted job {submitted.job_id} ({counted(len(submitted.tasks), 'task')})"
    from controller.model.state_words import state_word

    job = client.job(submitted.job_id)
    return f"job {job.id} exists already ({counted(job.total, 'task')}, {state_word(job.state)})"


def follow_all(
    settings: Settings,
    client: "Client",
    submitted: "Sequence[Submitted]",
    waiting: "Stay",
    *,
    as_json: bool,
    gate: frozenset[str] | None = None,
) -> int:
    """Follows the jobs in their order, which is that in which they run; returns the worst of their exit codes.

    With a `gate` they end with a comparison, whose answers it is held against.
    """
    from controller.cli.follow import finish, follow
    from controller.cli.waiting import time_limit

    codes = []
    with time_limit(waiting.timeout_s):
        for number, item in enumerate(submitted, start=1):
            job = follow(settings, client, item.job_id, also=[later.job_id for later in submitted[number:]])
            lines = len(submitted) > 1
            valid = waiting.require_valid
            codes.append(finish(client, job, as_json=as_json, lines=lines, require_valid=valid, gate=gate))
    return worst_exit_code(codes)


def print_plans(plans: "Sequence[Submitted]", *, as_json: bool) -> None:
    from controller.report.text.jobs import plan_table
    from controller.report.text.table import print_table

    for plan in plans:
        if as_json:
            _print_record(plan, lines=len(plans) > 1)
        else:
            print_table(plan_table(plan.tasks), out=sys.stdout)
        _print_notes(plan)
    print_message("dry run: nothing was stored")


def _print_record(submitted: "Submitted", *, lines: bool) -> None:
    from controller.cli.formats import print_json
    from controller.record.jobs import submitted_record

    print_json({"submitted": submitted_record(submitted)}, out=sys.stdout, in_one_line=lines)


def _print_notes(submitted: "Submitted") -> None:
    from controller.report.text.words import one_line

    if submitted.repeated_request:
        print_message(f"this key was submitted before: it is job {submitted.job_id}")
    for note in submitted.notes:
        print_message(f"note: {one_line(note)}")
