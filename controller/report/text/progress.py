"""A job as it runs: a live table on a terminal, a line per change where nobody watches."""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from controller.model.state_words import state_word
from controller.model.task import TaskState
from controller.model.view import JobView, TaskView
from controller.report.text.jobs import doing, eta, label, place, tasks_table
from controller.report.text.table import on_terminal, rich_table, shown_on
from controller.report.text.words import duration, one_line
from jetfleet.plural import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

_FRAMES_PER_S = 4
_DETAILS = 8  # a fleet has more boards than a terminal has lines


class JobDisplay(Protocol):
    """A context in which a job's changes are shown."""

    def __enter__(self) -> "JobDisplay": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, job: JobView) -> None: ...

    def note(self, text: str) -> None:
        """Something beside the job: a lost link."""


def job_display(out: TextIO) -> JobDisplay:
    return LiveDisplay(out) if on_terminal(out) else PlainDisplay(out)


class PlainDisplay:
    """A line for each task whose state, phase or device changed; fractions alone are not worth a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._seen: dict[int, tuple[object, ...]] = {}

    def __enter__(self) -> "PlainDisplay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, job: JobView) -> None:
        for task in job.tasks:
            now = (task.state, task.device, task.attempts, task.progress.phase if task.progress else "")
            if self._seen.get(task.id) != now:
                self._seen[task.id] = now
                self.note(_change(job, task))

    def note(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class LiveDisplay:
    """The tasks as a table that is redrawn in place; running tasks' clocks tick between the controller's reports."""

    def __init__(self, out: TextIO, *, now: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.live import Live

        self._now, self._heard = now, 0.0
        self._job: JobView | None = None
        self._console = Console(file=out)
        self._live = Live(
            console=self._console, get_renderable=self._frame, refresh_per_second=_FRAMES_PER_S, redirect_stdout=False
        )

    def __enter__(self) -> "LiveDisplay":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, job: JobView) -> None:
        self._job, self._heard = job, self._now()
        self._live.refresh()

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def _frame(self) -> "RenderableType":
        if self._job is None:
            return ""
        from rich.console import Group
        from rich.text import Text

        since = self._now() - self._heard
        tasks = tasks_table([_ticked(task, since) for task in self._job.tasks])
        table = rich_table(shown_on(tasks, self._console.file))
        details = [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in self._details()]
        left = None if self._job.eta_s is None else max(0.0, self._job.eta_s - since)
        return Group(
            table, *details, Text(f"{self._job.done} of {counted(self._job.total, 'task')} ended, {eta(left)}")
        )

    def _details(self) -> list[str]:
        """A line for each of the first open attempts, as it last said; the terminal's width cuts it."""
        return list(islice(doing(self._job.tasks), _DETAILS)) if self._job else []


def _ticked(task: TaskView, since_s: float) -> TaskView:
    if task.state is not TaskState.LEASED or task.elapsed_s is None:
        return task
    return replace(task, elapsed_s=task.elapsed_s + since_s)


def _change(job: JobView, task: TaskView) -> str:
    leased = task.state is TaskState.LEASED
    phase = f", {one_line(task.progress.phase)}" if task.progress and task.progress.phase and leased else ""
    took = f" after {duration(task.elapsed_s)}" if task.state is TaskState.SUCCEEDED and task.elapsed_s else ""
    why = f": {one_line(task.failure.message)}" if task.failure and task.state is not TaskState.SUCCEEDED else ""
    return f"[{job.done}/{job.total}] {label(task)}: {state_word(task.state)}{place(task)}{phase}{took}{why}"
