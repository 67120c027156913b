"""Tasks, jobs and devices as reports see them, made up; every field is settable by name."""

from dataclasses import replace
from typing import Any

from controller.model.task import JobState, TaskKind, TaskState
from controller.model.view import DeviceView, JobView, TaskView
from testing.measurements import WHEN


def task(**changes: Any) -> TaskView:
    made = TaskView(
        id=3,
        kind=TaskKind.BENCH,
        name="onnxruntime-fp32-b1-cpu",
        state=TaskState.LEASED,
        device="bench-1",
        attempts=1,
        progress=None,
        failure=None,
        because_of_task=None,
        log_sha256="",
        elapsed_s=4.2,
    )
    return replace(made, **changes)


def job(*tasks: TaskView, state: JobState = JobState.RUNNING) -> JobView:
    made = JobView(id=12, name="digits", state=state, created_at=WHEN, tasks=tasks, done=0, total=len(tasks))
    return replace(made, submitted_by="me")


def device(**changes: Any) -> DeviceView:
    made = DeviceView(
        id="d-1",
        name="bench-1",
        online=True,
        busy_with="",
        cordoned="",
        facts={"arch": "x86_64", "runtime.onnxruntime": "1.23.0"},
        last_seen_at=WHEN,
        bench_domain="host/cpu",
        agent_version="0.1.0",
    )
    return replace(made, **changes)
