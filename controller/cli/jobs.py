"""`controller jobs` and `controller job ...`: what was asked for, and how far it is."""

import sys
from typing import Annotated

import typer

from controller.cli import bisect, logs, slow
from controller.cli.formats import print_json_or_tables
from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from controller.cli.waiting import RequireValid, Timeout, Wait, time_limit, waiting_for
from jetfleet.plural import counted

app = typer.Typer(no_args_is_help=True, help="Show, follow, stop or retry one job.")
app.command("logs")(logs.logs)
app.command("bisect")(bisect.bisect)
app.command("slow")(slow.slow)

JobId = Annotated[int, typer.Argument(metavar="ID", min=1, max=MOST_ID, help="As `submit` and `jobs` print it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with settings_of(context).connect() as client:
        found = client.jobs(limit)
    from controller.model.view import unreadable_lines
    from controller.record.jobs import job_summary_record
    from controller.report.text.jobs import jobs_table

    document = {"jobs": [job_summary_record(job) for job in found], "unreadable": found.unreadable}
    print_json_or_tables(document, jobs_table(found), unreadable_lines(found.unreadable), as_json=as_json)


@app.command()
def show(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Show a job with its tasks."""
    with settings_of(context).connect() as client:
        job = client.job(job_id)
    from controller.record.jobs import job_record
    from controller.report.text.jobs import about, doing, failures, jobs_table, tasks_table

    tables = (jobs_table([job]), about(job), tasks_table(job.tasks), doing(job.tasks), failures(job.tasks))
    print_json_or_tables({"job": job_record(job)}, *tables, as_json=as_json)


@app.command()
def watch(
    context: typer.Context,
    job_id: JobId,
    timeout: Timeout = None,
    require_valid: RequireValid = False,
    as_json: AsJson = False,
) -> None:
    """Follow a job until it ends; exit by how it ended. Ctrl-C detaches, and the job goes on."""
    from controller.api.control_client import ENDED
    from controller.api.local import start_embedded_agents
    from controller.cli.follow import finish, follow

    settings = settings_of(context)
    with settings.connect() as client:
        if client.job(job_id).state not in ENDED:
            start_embedded_agents(client, state_dir=settings.state_dir, on_message=print_message)
        with time_limit(timeout):
            job = follow(settings, client, job_id)
        code = finish(client, job, as_json=as_json, require_valid=require_valid)
    raise typer.Exit(code)


@app.command()
def cancel(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Ask every unfinished task of a job to stop."""
    with settings_of(context).connect() as client:
        job = client.cancel(job_id)
    if as_json:
        from controller.cli.formats import print_json
        from controller.record.jobs import job_record

        print_json({"job": job_record(job)}, out=sys.stdout)
    else:
        from controller.model.state_words import state_word

        print_message(f"job {job.id}: {state_word(job.state)}, {job.done} of {counted(job.total, 'task')} ended")


@app.command()
def retry(
    context: typer.Context,
    job_id: JobId,
    wait: Wait = False,
    timeout: Timeout = None,
    require_valid: RequireValid = False,
    as_json: AsJson = False,
    idempotency_key: Annotated[
        str, typer.Option(help="Same key, same new job, however often it is sent. [default: a new one]")
    ] = "",
) -> None:
    """Make a new job of what did not succeed in one that is over.

    What succeeded is not done again, and an engine that exists is not built again. Prints the new job's id.
    """
    from controller.api.local import start_embedded_agents
    from controller.cli.job_output import follow_all, print_submitted

    settings = settings_of(context)
    with settings.connect() as client:
        submitted = client.retry(job_id, idempotency_key=idempotency_key)
        start_embedded_agents(client, state_dir=settings.state_dir, on_message=print_message)
        waiting = waiting_for(wait=wait, timeout=timeout, require_valid=require_valid)
        print_submitted(settings, client, submitted, wait=waiting is not None, as_json=as_json)
        if waiting:
            raise typer.Exit(follow_all(settings, client, [submitted], waiting, as_json=as_json))


@app.command()
def why(
    context: typer.Context,
    job_id: JobId,
    limit: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="How many tasks.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """Say for every unfinished task what it waits for."""
    with settings_of(context).connect() as client:
        reasons = client.explain(job_id, limit=limit)
    from controller.record.jobs import reason_record
    from controller.report.text.jobs import reasons_table

    document = {"reasons": [reason_record(item) for item in reasons]}
    print_json_or_tables(document, reasons_table(reasons), as_json=as_json)
