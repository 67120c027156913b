"""`controller submit`: a job file becomes a job."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.settings import Settings, settings_of, talk

if TYPE_CHECKING:
    from controller.client.client import Client
    from controller.model.view import Submitted


def submit(
    context: typer.Context,
    job: Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job; `controller schema` describes it.")],
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended; exit by how it ended.")] = False,
    local: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="[=N]", help="Have N agents on this machine take part (1 if no N).", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; store nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    idempotency_key: Annotated[
        str, typer.Option(help="Same key, same job, however often it is submitted. [default: a new one]")
    ] = "",
) -> None:
    """Submit a job.

    Exports the model, uploads what the controller lacks, plans and queues.

    Prints the job's id. With no controller running, one is started, with an agent on this machine.
    """
    from controller.client.local import have_local
    from controller.intake.prepare import prepare

    settings = settings_of(context)
    settings.check_address()  # before minutes of export, not after
    prepared = prepare(job, state_dir=settings.state_dir, progress=talk)
    with settings.connect() as client:
        have_local(client, count=local, state_dir=settings.state_dir, tell=talk)
        submitted = client.submit(
            prepared.spec,
            prepared.files,
            idempotency_key=idempotency_key,
            validate_only=dry_run,
            on_progress=_Meter(),
        )
        if dry_run:
            _print_plan(submitted, as_json=as_json)
        elif not wait:
            _print_submitted(settings, submitted, as_json=as_json)
        else:
            raise typer.Exit(_stay(settings, client, submitted, as_json=as_json))


def _stay(settings: Settings, client: "Client", submitted: "Submitted", *, as_json: bool) -> int:
    from controller.cli.follow import finish, follow

    _tell_notes(submitted)
    if not as_json:
        print(submitted.job_id, flush=True)
    return finish(client, follow(settings, client, submitted.job_id), as_json=as_json)


def _print_submitted(settings: Settings, submitted: "Submitted", *, as_json: bool) -> None:
    _tell_notes(submitted)
    if as_json:
        _print_record(submitted)
    else:
        print(submitted.job_id, flush=True)
    talk(f"job {submitted.job_id}: {len(submitted.tasks)} tasks; follow: {_watch(settings, submitted)}")


def _print_plan(submitted: "Submitted", *, as_json: bool) -> None:
    from controller.report.jobs import plan_table
    from controller.report.table import print_table

    if as_json:
        _print_record(submitted)
    else:
        print_table(plan_table(submitted.tasks), out=sys.stdout)
    _tell_notes(submitted)
    talk("dry run: nothing was stored")


def _print_record(submitted: "Submitted") -> None:
    from controller.report.records import print_json, submitted_record

    print_json({"submitted": submitted_record(submitted)}, out=sys.stdout)


def _tell_notes(submitted: "Submitted") -> None:
    from controller.report.text import one_line

    if submitted.repeated_request:
        talk(f"this key was submitted before: it is job {submitted.job_id}")
    for note in submitted.notes:
        talk(f"note: {one_line(note)}")


def _watch(settings: Settings, submitted: "Submitted") -> str:
    return settings.command(f"job watch {submitted.job_id}")


class _Meter:
    """Tells of an upload in tenths: often enough for a slow link, seldom enough for a log."""

    def __init__(self) -> None:
        self._tenth = 0

    def __call__(self, sent: int, total: int) -> None:
        tenth = 10 * sent // total if total else 10
        if tenth > self._tenth:
            self._tenth = tenth
            talk(f"upload: {tenth * 10} % of {total / 1e6:.1f} MB")
