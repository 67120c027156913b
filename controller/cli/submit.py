"""`controller submit`: job files become jobs. All of them are checked before the first is submitted."""

import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.api.local_limits import MOST_AGENTS, check_local
from controller.cli.ab import FailOn, check_pair
from controller.cli.failures import print_error, worst_exit_code
from controller.cli.job_output import follow_all, print_plans, print_submitted
from controller.cli.labels import parse_labels
from controller.cli.settings import Settings, print_message, settings_of
from controller.cli.waiting import RequireValid, Stay, Timeout, WaitAll, waiting_for
from jetfleet.usage import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.api.submission import JobsRefused, SubmitOptions
    from controller.intake.prepare import PreparedJob


_COUNT = re.compile(r"[1-9][0-9]{0,8}")

Jobs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="JOB.yaml...", help="The jobs, see `controller schema`; - is standard input.", show_default=False
    ),
]
Ab = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--ab",
        metavar="BASE CANDIDATE",
        help="Hold two job files, or two variants of one JOB.yaml, against each other in the same processes.",
        show_default=False,
    ),
]
Local = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_AGENTS,
        metavar="[=N]",
        help="Have N agents of this machine take part; no N: 1.",
        show_default=False,
    ),
]
LocalThreads = Annotated[str, typer.Option(metavar="N,N", help="CPU threads of each local agent, so that they differ.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; store nothing.")]
Label = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="To find results by. [in CI: also commit, branch]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object; several jobs: a line each.")]
IdempotencyKey = Annotated[
    str, typer.Option(help="Same key, same job. [default: in CI, from the run and the content; else a new one]")
]


def submit(
    context: typer.Context,
    jobs: Jobs = None,
    ab: Ab = None,
    wait: WaitAll = False,
    timeout: Timeout = None,
    require_valid: RequireValid = False,
    fail_on: FailOn = None,
    local: Local = None,
    local_threads: LocalThreads = "",
    dry_run: DryRun = False,
    label: Label = None,
    as_json: AsJson = False,
    idempotency_key: IdempotencyKey = "",
) -> None:
    """Submit jobs.

    Exports the models, uploads what the controller lacks, plans and queues. If one of several jobs is wrong, none is
    submitted, and every mistake is told.

    Prints the jobs' ids. With no controller running, one is started, with an agent on this machine.

    `--ab BASE.yaml CANDIDATE.yaml` times both in turns, in several processes, and with --wait answers as `compare`.
    """
    from controller.api.submission import JobsRefused, SubmitOptions

    settings = settings_of(context)
    waiting = waiting_for(wait=wait or fail_on is not None, timeout=timeout, require_valid=require_valid)
    gate = check_pair(ab, jobs, fail_on)
    if ab is None and not jobs:
        usage = " ".join(context.get_usage().removeprefix("Usage: ").split())
        raise missing("JOB.yaml...", usage=usage, command=context.command_path)
    options = SubmitOptions(
        state_dir=settings.state_dir,
        local=local,
        local_threads=_threads(local_threads),
        idempotency_key=idempotency_key,
        labels=parse_labels(label or ()),
        validate_only=dry_run,
        on_message=print_message,
    )
    if sum(str(path) == "-" for path in (*(jobs or ()), *(ab or ()))) > 1:
        raise typer.BadParameter("standard input (-) can be read once", param_hint="JOB.yaml")
    settings.check_address()  # before minutes of export, not after
    try:
        prepared = _prepared(jobs or [], ab, options)
        code = _submit(settings, prepared, options, waiting=waiting, as_json=as_json, gate=gate)
    except JobsRefused as refused:
        code = _print_refused(refused, as_json=as_json)
    raise typer.Exit(code)


def _prepared(
    jobs: "Sequence[Path]", ab: tuple[str, str] | None, options: "SubmitOptions"
) -> "list[tuple[str, PreparedJob]]":
    from controller.api.submission import prepare_files, prepare_pair

    if ab is None:
        return prepare_files(jobs, state_dir=options.state_dir, on_message=options.on_message)
    of = jobs[0] if jobs else None
    return [prepare_pair(*ab, of=of, state_dir=options.state_dir, on_message=options.on_message)]


def _submit(
    settings: Settings,
    prepared: "Sequence[tuple[str, PreparedJob]]",
    options: "SubmitOptions",
    *,
    waiting: Stay | None,
    as_json: bool,
    gate: frozenset[str] | None,
) -> int:
    """The exit code: 0, or of who waits the worst of the jobs'. With a `gate`, of the comparison too."""
    from controller.api.submission import submit_prepared
    from controller.report.text.upload import UploadDisplay

    with settings.connect() as client:
        report = partial(
            print_submitted, settings, client, wait=waiting is not None, as_json=as_json, several=len(prepared) > 1
        )
        if options.validate_only:
            print_plans(submit_prepared(client, prepared, options), as_json=as_json)
            return 0
        with UploadDisplay(sys.stderr) as shown:
            sending = replace(options, on_progress=shown)
            submitted = submit_prepared(client, prepared, sending, on_submitted=report)
        return follow_all(settings, client, submitted, waiting, as_json=as_json, gate=gate) if waiting else 0


def _print_refused(refused: "JobsRefused", *, as_json: bool) -> int:
    """Every mistake, under the name of its job where the error does not say it; returns the worst exit code."""
    codes = []
    for name, error in refused.errors:
        if not error.where.startswith(name):
            print_message(f"{name}:")
        codes.append(print_error(error, as_json=as_json))
    print_message(f"{refused}")
    return worst_exit_code(codes)


def _threads(text: str) -> list[int]:
    """`1,2` as numbers."""
    numbers = [part.strip() for part in text.split(",")] if text else []
    if not all(_COUNT.fullmatch(number) for number in numbers):
        shown = text if len(text) < 80 else f"{text[:77]}..."
        raise typer.BadParameter(f"{shown!r} is not a list of thread counts such as 1,2", param_hint="--local-threads")
    counts = [int(number) for number in numbers]
    check_local(len(counts), counts)
    return counts
