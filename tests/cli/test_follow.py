"""How a job's end becomes an exit code."""

import pytest

from controller.cli.follow import exit_code
from controller.model.result import Flag, FlagKind
from controller.model.task import Failure, FailureKind, JobState, TaskState
from controller.model.view import TaskView
from testing.measurements import row
from testing.views import job, task


def failed(kind: FailureKind) -> TaskView:
    return task(state=TaskState.FAILED, failure=Failure(kind, "why"))


@pytest.mark.parametrize(
    ("state", "tasks", "code"),
    [
        (JobState.SUCCEEDED, [task(state=TaskState.SUCCEEDED)], 0),
        (JobState.FAILED, [failed(FailureKind.CRASHED)], 1),
        (JobState.FAILED, [task(state=TaskState.SKIPPED)], 1),
        (JobState.FAILED, [failed(FailureKind.INFRASTRUCTURE), failed(FailureKind.CRASHED)], 1),
        (JobState.FAILED, [failed(FailureKind.INFRASTRUCTURE), task(state=TaskState.SKIPPED)], 4),
        (JobState.FAILED, [failed(FailureKind.DEVICE_FAULT)], 4),
        (JobState.CANCELLED, [], 6),
        (JobState.TIMED_OUT, [], 7),
    ],
)
def test_by_state(state: JobState, tasks: list[TaskView], code: int) -> None:
    assert exit_code(job(*tasks, state=state), []) == code


def test_a_wrong_output_is_a_failure() -> None:
    wrong = row(flags=(Flag(FlagKind.WRONG_OUTPUT, "logits"), Flag(FlagKind.UNSTABLE, "spread")))
    assert exit_code(job(state=JobState.SUCCEEDED), [row(), wrong]) == 1


def test_an_untrusted_number_is_not_a_failure() -> None:
    unstable = row(flags=(Flag(FlagKind.UNSTABLE, "spread"),))
    assert exit_code(job(state=JobState.SUCCEEDED), [unstable]) == 0
