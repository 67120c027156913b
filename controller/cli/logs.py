"""`controller job logs`: what the processes of a job's last attempts wrote. Opaque: only `--raw` passes it on whole."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.model.job import Artifact
    from controller.model.view import JobView, TaskView


def logs(
    context: typer.Context,
    job_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=MOST_ID, help="As `submit` and `jobs` print it.")],
    task: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_ID, help="Only this task, as `job show` numbers it.", show_default=False),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The bytes as they were written; not to a terminal.")] = False,
) -> None:
    """Print the logs of the last attempt of each task.

    A log comes when its attempt has ended. What could steer a terminal is taken out, except with --raw.
    """
    if raw and sys.stdout.isatty():
        raise typer.BadParameter("--raw is for a file or a pipe: a log may hold anything that a terminal obeys")
    with settings_of(context).connect() as client, tempfile.TemporaryDirectory(prefix="jetfleet-") as folder:
        shown = 0
        for shown, (view, log) in enumerate(_logs_of(client.job(job_id), task), start=1):
            path = Path(folder) / f"{shown}.log"
            _download(client, log, path)
            _print(path, _heading(view, log), raw=raw)
            path.unlink()
        if not shown:
            print_message("no logs yet: a log comes when its attempt has ended")


def _logs_of(job: "JobView", task_id: int | None) -> "Iterator[tuple[TaskView, Artifact]]":
    from jetfleet.errors import NotFound

    tasks = [task for task in job.tasks if task_id in (None, task.id)]
    if not tasks:
        raise NotFound(f"job {job.id} has no task {task_id}", hint=f"`controller job show {job.id}` lists its tasks")
    return ((task, log) for task in tasks for log in task.logs)


def _download(client: "Client", log: "Artifact", path: Path) -> None:
    """Verified on arrival: a log that is not what its digest says is never shown."""
    client.download(log.sha256, path)


def _heading(task: "TaskView", log: "Artifact") -> str:
    from controller.report.text.jobs import label, place
    from controller.report.text.words import one_line

    return f"== task {task.id}, {label(task)}{place(task)}, attempt {task.attempts}: {one_line(log.name)} =="


def _print(path: Path, heading: str, *, raw: bool) -> None:
    from controller.report.text.words import clean

    if raw:
        print_message(heading)
        sys.stdout.buffer.write(path.read_bytes())
        sys.stdout.buffer.flush()
        return
    text = clean(path.read_bytes().decode(errors="replace"))
    print(heading)
    print(text, end="" if text.endswith("\n") or not text else "\n", flush=True)
