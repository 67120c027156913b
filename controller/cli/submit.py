"""`controller submit`: job files become jobs. All of them are checked before the first is submitted."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.failures import print_error, worst_exit_code
from controller.cli.job_output import follow_all, print_plans, print_submitted
from controller.cli.settings import Settings, print_message, settings_of

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.intake.prepare import Prepared
    from controller.model.job import JobSpec
    from controller.model.view import Submitted


def submit(
    context: typer.Context,
    jobs: Annotated[
        list[Path], typer.Argument(metavar="JOB.yaml...", help="The jobs; `controller schema` describes them.")
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Stay until all have ended; exit by the worst end.")] = False,
    local: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="[=N]", help="Have N agents on this machine take part (1 if no N).", show_default=False
        ),
    ] = None,
    local_threads: Annotated[
        str, typer.Option(metavar="N,N", help="CPU threads of each local agent, so that they differ.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; store nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object; several jobs: a line each.")] = False,
    idempotency_key: Annotated[
        str, typer.Option(help="Same key, same job. [default: in CI, from the run and the content; else a new one]")
    ] = "",
) -> None:
    """Submit jobs.

    Exports the models, uploads what the controller lacks, plans and queues. If one of several jobs is wrong, none is
    submitted, and every mistake is told.

    Prints the jobs' ids. With no controller running, one is started, with an agent on this machine.
    """
    from controller.api.local import ensure_local_agents

    settings = settings_of(context)
    threads = _threads(local_threads)
    settings.check_address()  # before minutes of export, not after
    prepared = _prepare(jobs, settings, as_json=as_json)
    with settings.connect() as client:
        ensure_local_agents(client, count=local, threads=threads, state_dir=settings.state_dir, tell=print_message)
        keys = [] if dry_run else _keys(idempotency_key, [item.spec for item in prepared])
        if len(jobs) > 1 or not any(keys):  # before minutes of upload, too; a job that is there is not planned again
            plans = _validate(client, jobs, prepared, as_json=as_json)
        if dry_run:
            print_plans(plans, as_json=as_json)
            return
        submitted = []
        for item, key in zip(prepared, keys, strict=True):
            submitted.append(client.submit(item.spec, item.files, idempotency_key=key, on_progress=_Meter()))
            print_submitted(settings, submitted[-1], wait=wait, as_json=as_json, several=len(jobs) > 1)
        if wait:
            raise typer.Exit(follow_all(settings, client, submitted, as_json=as_json))


def _threads(text: str) -> list[int]:
    """`1,2` as numbers."""
    numbers = [part.strip() for part in text.split(",")] if text else []
    if not all(number.isdecimal() and int(number) for number in numbers):
        raise typer.BadParameter(f"{text!r} is not a list of thread counts such as 1,2", param_hint="--local-threads")
    return [int(number) for number in numbers]


def _prepare(jobs: Sequence[Path], settings: Settings, *, as_json: bool) -> "list[Prepared]":
    """Every job, ready to submit; or every mistake told, and the end."""
    from controller.intake.prepare import prepare
    from jetfleet.errors import JetfleetError

    found, codes = [], []
    for path in jobs:
        try:
            found.append(prepare(path, state_dir=settings.state_dir, progress=print_message))
        except JetfleetError as error:
            if len(jobs) == 1:
                raise
            codes.append(print_error(error, as_json=as_json))
    _stop_if_wrong(codes, len(jobs))
    return found


def _validate(
    client: "Client", jobs: Sequence[Path], prepared: "Sequence[Prepared]", *, as_json: bool
) -> "list[Submitted]":
    """The plan of every job, or everything that keeps one from being planned told, and the end."""
    from jetfleet.errors import JetfleetError

    found: list[Submitted] = []
    codes = []
    for path, item in zip(jobs, prepared, strict=True):
        try:
            found.append(client.submit(item.spec, item.files, validate_only=True))
        except JetfleetError as error:
            if len(jobs) == 1:
                raise
            print_message(f"{path}:")
            codes.append(print_error(error, as_json=as_json))
    _stop_if_wrong(codes, len(jobs))
    return found


def _stop_if_wrong(codes: Sequence[int], jobs: int) -> None:
    if codes:
        print_message(f"{len(codes)} of {jobs} jobs are wrong: none was submitted")
        raise typer.Exit(worst_exit_code(codes))


def _keys(given: str, specs: "Sequence[JobSpec]") -> list[str]:
    """An idempotency key for each job; empty for a new one. A given key is numbered where there are several jobs."""
    from controller.api.pipeline_key import pipeline_key

    if given:
        return [given] if len(specs) == 1 else [f"{given}/{number}" for number in range(1, len(specs) + 1)]
    found = [pipeline_key(spec, os.environ) for spec in specs]
    if found[0] is not None:
        print_message(
            f"idempotency key from {', '.join(found[0].variables)} and the job: the same step finds the same job"
        )
    return [key.key if key else "" for key in found]


class _Meter:
    """Tells of an upload in tenths: often enough for a slow link, seldom enough for a log."""

    def __init__(self) -> None:
        self._tenth = 0

    def __call__(self, sent: int, total: int) -> None:
        tenth = 10 * sent // total if total else 10
        if tenth > self._tenth:
            self._tenth = tenth
            print_message(f"upload: {tenth * 10} % of {total / 1e6:.1f} MB")
