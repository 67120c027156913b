"""What the sentence of an unfinished task says of its job's deadline."""

import pytest

from controller.core.explain import Fleet, OpenAttempt, Unfinished, why
from controller.model.task import TaskState
from testing.devices import device
from testing.tasks import bench

BENCH = bench(1, job_id=2, device_id="orin")


@pytest.mark.parametrize(
    ("left_s", "told"),
    [
        (None, ""),
        (41.6, "; the job's deadline is in 42 s"),
        (-0.2, "; the job's deadline has just passed"),
    ],
)
def test_a_deadline_is_told_in_every_state(left_s, told):
    orin_ = device("orin")
    attempt = OpenAttempt(5, "bench x", 1, orin_, running=True)
    fleet = Fleet([orin_], (BENCH,))
    tasks = [
        Unfinished(5, TaskState.WAITING, deadline_s=left_s),
        Unfinished(1, TaskState.READY, candidate=BENCH, deadline_s=left_s),
        Unfinished(5, TaskState.LEASED, attempt=attempt, deadline_s=left_s),
    ]
    assert [why(task, fleet) for task in tasks] == [
        f"waits to be planned: no engine is assigned to it yet{told}",
        f"is next on orin, as soon as it asks for work{told}",
        f"runs on orin{told}",
    ]


def test_what_runs_on_after_its_deadline_is_being_stopped():
    attempt = OpenAttempt(5, "bench x", 1, device("orin"), running=True)
    task = Unfinished(5, TaskState.LEASED, attempt=attempt, cancel_asked=True, timed_out=True, deadline_s=-1.0)
    assert why(task, Fleet([])) == "is being stopped on orin: its deadline has passed"
