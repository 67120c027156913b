"""Jobs, tasks, plans and reasons as tables."""

from collections.abc import Iterator, Sequence

from controller.model.natural import natural
from controller.model.state_words import state_word
from controller.model.task import TaskKind, TaskState
from controller.model.view import DeviceView, JobView, PlannedTask, Reason, TaskView
from controller.report.text.table import Table
from controller.report.text.words import clean, duration, moment, one_line
from jetfleet.plural import counted

_NOT_BEGUN = frozenset({TaskState.WAITING, TaskState.READY})
_UNFINISHED = _NOT_BEGUN | {TaskState.LEASED}


def jobs_table(jobs: Sequence[JobView]) -> Table:
    return Table(
        columns=("job", "name", "state", "tasks", "by", "created"),
        rows=[
            (
                str(job.id),
                job.name,
                state_word(job.state),
                f"{job.done}/{job.total}",
                job.submitted_by,
                moment(job.created_at),
            )
            for job in jobs
        ],
        right=frozenset({"job", "tasks"}),
        optional=("by",),
        empty="no jobs yet: controller submit JOB.yaml",
    )


def about(job: JobView) -> Iterator[str]:
    """What the table of jobs has no column for: where it comes from, until when, how much longer."""
    if job.retry_of is not None:
        yield f"retries what did not succeed in job {job.retry_of}"
    if job.labels:
        yield "labels " + ", ".join(one_line(f"{name}={value}") for name, value in sorted(job.labels.items()))
    if job.deadline_at is not None:
        yield f"deadline {moment(job.deadline_at)}"
    if job.done < job.total:
        yield eta(job.eta_s)


def eta(seconds: float | None) -> str:
    """`ETA unknown`, rather than a number that nothing stands behind."""
    return "ETA unknown" if seconds is None else f"ETA {duration(seconds)}"


def tasks_table(tasks: Sequence[TaskView]) -> Table:
    return Table(
        columns=("task", "kind", "name", "state", "phase", "device", "elapsed", "attempts"),
        rows=[
            (
                str(task.id),
                task.kind.value,
                task.name,
                state_word(task.state),
                phase(task),
                task.device,
                duration(task.elapsed_s),
                str(task.attempts),
            )
            for task in tasks
        ],
        right=frozenset({"task", "elapsed", "attempts"}),
        folding=frozenset({"name"}),
        optional=("attempts", "kind", "elapsed", "phase"),
        empty="no tasks",
    )


def plan_table(tasks: Sequence[PlannedTask]) -> Table:
    return Table(
        columns=("kind", "task", "device", "engine", "work"),
        rows=[
            (
                task.kind.value,
                task.name,
                task.device or task.boards or "any that matches",
                task.engine_key[:12] or "when bound",
                "none: the engine is there" if task.reused else "new",
            )
            for task in sorted(tasks, key=lambda task: (task.kind is TaskKind.BENCH, natural(task.name)))
        ],
        folding=frozenset({"task", "device"}),
        optional=("engine",),
        empty="no tasks",
    )


def reasons_table(reasons: Sequence[Reason]) -> Table:
    return Table(
        columns=("task", "name", "state", "why"),
        rows=[(str(item.task_id), item.task_name, state_word(item.state), item.why) for item in reasons],
        right=frozenset({"task"}),
        folding=frozenset({"name", "why"}),
        empty="every task of this job has ended",
    )


def whom(job: JobView, devices: Sequence[DeviceView]) -> str:
    """Whom somebody who stays with a job waits for: `job 3 waits for orin-1, orin-2 (offline)`."""
    left = [task for task in job.tasks if task.state in _UNFINISHED and task.kind is TaskKind.BENCH]
    online = {device.name: device.online for device in devices}
    names = [name + ("" if online.get(name, True) else " (offline)") for name in sorted({task.device for task in left})]
    who = [one_line(name) for name in names if name] + ["any device that matches"] * ("" in names)
    if not who:
        return f"job {job.id}: {job.done} of {counted(job.total, 'task')} ended"
    away = f"; `controller job why {job.id}` says more" if any(name.endswith("(offline)") for name in who) else ""
    return f"job {job.id} waits for {', '.join(who)}{away}"


def phase(task: TaskView) -> str:
    """`measure 40 %`, where the open attempt says so."""
    if task.progress is None or not task.progress.phase:
        return ""
    share = "" if task.progress.fraction is None else f" {task.progress.fraction * 100:.0f} %"
    return f"{task.progress.phase}{share}"


def doing(tasks: Sequence[TaskView]) -> Iterator[str]:
    """What the open attempts say beyond their phase: `BUILD x on orin: build 40 %: Timing tactics`."""
    for task in tasks:
        if task.state is TaskState.LEASED and task.progress is not None and task.progress.detail:
            yield f"{label(task)}{place(task)}: {one_line(phase(task))}: {one_line(task.progress.detail)}"


def failures(tasks: Sequence[TaskView]) -> Iterator[str]:
    """What went wrong, for each task that did not succeed: what and where, and in lines of their own what to do."""
    for task in tasks:
        if task.failure is not None and task.state not in (TaskState.SUCCEEDED, TaskState.SUPERSEDED):
            said, *more = map(one_line, clean(task.failure.message).splitlines() or [""])
            yield "\n    ".join([f"{label(task)}{place(task)}: {task.failure.kind.value}: {said}", *more])
        elif task.state is TaskState.SKIPPED:
            blamed = f" because of task {task.because_of_task}" if task.because_of_task else ""
            yield f"{label(task)}{place(task)}: {state_word(task.state)}{blamed}"
        elif task.state is TaskState.TIMED_OUT:
            yield f"{label(task)}{place(task)}: {state_word(task.state)}: the job's deadline passed"


def label(task: TaskView) -> str:
    """`BENCH onnxruntime-fp32-b1-cpu`: the name alone is its engine's too."""
    return one_line(f"{task.kind.value} {task.name}")


def place(task: TaskView) -> str:
    """` on bench-1`, or for a task that has not begun ` for bench-1`."""
    if not task.device:
        return ""
    return f" {'for' if task.state in _NOT_BEGUN else 'on'} {one_line(task.device)}"
