"""What a job says beside its tables: where it comes from, until when, how much longer; and what ran out of time."""

import io
from dataclasses import replace
from datetime import timedelta

from controller.model.job import Artifact, Role
from controller.model.task import JobState, TaskState
from controller.record.jobs import job_record
from controller.report.text.jobs import about, failures
from controller.report.text.progress import LiveDisplay
from controller.report.text.words import moment
from testing.measurements import WHEN
from testing.views import job, task


def test_a_retry_with_a_deadline_and_an_eta() -> None:
    deadline = WHEN + timedelta(hours=2)
    view = replace(job(task()), retry_of=4, deadline_at=deadline, eta_s=130.0)
    assert list(about(view)) == [
        "retries what did not succeed in job 4",
        f"deadline {moment(deadline)}",
        "ETA 2 min 10 s",
    ]
    record = job_record(view)
    assert (record["retry_of"], record["deadline_at"], record["eta_s"]) == (4, "2026-03-01T14:00:00+00:00", 130.0)


def test_an_eta_that_nobody_knows_is_no_number_and_what_is_over_has_none() -> None:
    assert list(about(job(task()))) == ["ETA unknown"]
    assert list(about(replace(job(task(state=TaskState.SUCCEEDED), state=JobState.SUCCEEDED), done=1))) == []


def test_the_live_table_counts_down() -> None:
    out, clock = io.StringIO(), [100.0]
    with LiveDisplay(out, now=lambda: clock[0]) as shown:
        shown.show(replace(job(task()), eta_s=130.0))
        clock[0] = 110.0
    assert "0 of 1 task ended, ETA 2 min 00 s" in out.getvalue()


def test_a_task_that_never_began_says_why_it_timed_out() -> None:
    late = task(state=TaskState.TIMED_OUT, attempts=0, elapsed_s=None)
    assert list(failures([late])) == ["BENCH onnxruntime-fp32-b1-cpu on bench-1: timed out: the job's deadline passed"]


def test_logs_are_listed() -> None:
    made = task(logs=(Artifact(Role.LOG, "log.txt", "ab" * 32, 7),))
    assert job_record(job(made))["tasks"][0]["logs"] == [{"name": "log.txt", "sha256": "ab" * 32, "size_bytes": 7}]
