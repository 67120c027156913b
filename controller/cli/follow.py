"""Stays with a job until it ends, shows it on stderr, and turns its end into an exit code."""

import sys
from collections.abc import Sequence

import typer

from controller.api.client import Client
from controller.cli.compare import gate_code, print_compared
from controller.cli.failures import GATE, INTERRUPTED
from controller.cli.formats import Format
from controller.cli.settings import Settings, print_message
from controller.cli.waiting import WaitedLongEnough
from controller.model.comparison import ComparisonReport
from controller.model.result import VALID, Row
from controller.model.state_words import state_word
from controller.model.task import FailureKind, JobState, TaskState
from controller.model.view import JobView, ResultQuery
from controller.report.text.jobs import failures, whom
from controller.report.text.progress import JobDisplay, job_display
from controller.report.text.results import Refused, evidence, refused_of, results_table, wrong_outputs
from controller.report.text.table import print_lines, print_table
from jetfleet.errors import JetfleetError, TimeLimit
from jetfleet.plural import are, counted

_NOT_THE_JOBS_FAULT = frozenset({FailureKind.DEVICE_FAULT, FailureKind.INFRASTRUCTURE})


def follow(settings: Settings, client: Client, job_id: int, *, also: Sequence[int] = ()) -> JobView:
    """The job when it has ended. Ctrl-C detaches: the job goes on, and the command ends with 130.

    `also` are jobs that whoever detaches should know to go on, too.
    """
    last = None
    try:
        print_message(whom(client.job(job_id), client.devices()))
        with job_display(sys.stderr) as shown:
            connection = _ConnectionNotes(shown)
            for last in client.watch(job_id, on_drop=connection.lost):
                connection.restored()
                shown.show(last)
    except (KeyboardInterrupt, WaitedLongEnough) as end:
        waited = isinstance(end, WaitedLongEnough)
        for left in (job_id, *also):
            print_message(f"{'the time of --timeout is over' if waited else 'detached'}; job {left} goes on")
            print_message(f"  reattach: {settings.command(f'job watch {left}')}")
            print_message(f"  stop it:  {settings.command(f'job cancel {left}')}")
        raise typer.Exit(TimeLimit.exit_code if waited else INTERRUPTED) from None
    return last if last is not None else client.job(job_id)


def finish(
    client: Client,
    job: JobView,
    *,
    as_json: bool,
    lines: bool = False,
    require_valid: bool = False,
    gate: frozenset[str] | None = None,
) -> int:
    """Prints what came out of a job; returns the exit code that its end means. `lines`: JSON in one line.

    `require_valid`: 3 in place of 0 unless there are measurements and each is VALID. With a `gate`, the comparison is
    printed too, and 3 stands in place of 0 where it has one of these answers.
    """
    rows = client.results(ResultQuery(job_ids=(job.id,)))
    compared = None if gate is None else client.compare([job.id])
    if as_json:
        _print_documents(job, rows, compared, lines=lines)
    else:
        print_results(rows, refused_of(job))
        if compared is not None:
            print()
            print_compared(compared, Format.TABLE)
        for line in failures(job.tasks):
            print_message(line)
        print_message(f"job {job.id}: {state_word(job.state)}, {job.done} of {counted(job.total, 'task')} ended")
    return exit_code(job, rows) or _gates(rows, compared, gate or frozenset(), require_valid=require_valid)


def _gates(rows: Sequence[Row], compared: ComparisonReport | None, gate: frozenset[str], *, require_valid: bool) -> int:
    """3 where --fail-on or --require-valid says no, and 0."""
    if compared is not None and (code := gate_code(compared, gate)):
        return code
    bad = sum(row.measurement.verdict != VALID for row in rows)
    if not require_valid or (rows and not bad):
        return 0
    print_message(f"--require-valid: {bad} of {counted(len(rows), 'measurement')} {are(bad)} not VALID")
    return GATE


def _print_documents(job: JobView, rows: Sequence[Row], compared: ComparisonReport | None, *, lines: bool) -> None:
    from controller.cli.formats import print_json
    from controller.record.comparison import compared_record
    from controller.record.jobs import job_record
    from controller.record.results import result_record

    document = {"job": job_record(job), "results": [result_record(row) for row in rows]}
    if compared is not None:
        document["compared"] = compared_record(compared)
    print_json(document, out=sys.stdout, in_one_line=lines)


def print_results(rows: Sequence[Row], refused: Sequence[Refused] = ()) -> None:
    """The table and, on stdout too because it belongs to the numbers, the evidence below it."""
    print_table(results_table(rows, refused), out=sys.stdout)
    print_lines(evidence(rows, refused), out=sys.stdout)


def exit_code(job: JobView, rows: Sequence[Row]) -> int:
    """0 only if every task succeeded and nothing that was measured computes the wrong thing."""
    if job.state is JobState.CANCELLED:
        return 6
    if job.state is JobState.TIMED_OUT:
        return 7
    if job.state is JobState.FAILED:
        return 4 if _infrastructure_only(job) else 1
    return 1 if wrong_outputs(rows) else 0


def _infrastructure_only(job: JobView) -> bool:
    kinds = {task.failure.kind for task in job.tasks if task.state is TaskState.FAILED and task.failure is not None}
    return bool(kinds) and kinds <= _NOT_THE_JOBS_FAULT


class _ConnectionNotes:
    """Tells of a lost link once, not at every try to mend it."""

    def __init__(self, shown: JobDisplay) -> None:
        self._shown, self._down = shown, False

    def lost(self, error: JetfleetError) -> None:
        if not self._down:
            self._shown.note(f"{error.message}; trying again")
        self._down = True

    def restored(self) -> None:
        if self._down:
            self._shown.note("the controller is back")
        self._down = False
