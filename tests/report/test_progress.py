"""A job's progress where nobody watches: a line per change, and no more. On a terminal: a table in place."""

import io

from controller.model.task import Failure, FailureKind, Progress, TaskState
from controller.report.progress import LiveProgress, PlainProgress
from tests.report.rows import job, task


def test_a_line_per_change_and_not_per_percent() -> None:
    out = io.StringIO()
    with PlainProgress(out) as shown:
        shown.show(job(task(state=TaskState.READY, device="", attempts=0, elapsed_s=None)))
        for fraction in (0.1, 0.2, 0.3):
            shown.show(job(task(progress=Progress("measure", fraction))))
        shown.show(job(task(state=TaskState.SUCCEEDED)))
    assert out.getvalue().splitlines() == [
        "[0/1] BENCH onnxruntime-fp32-b1-cpu: READY",
        "[0/1] BENCH onnxruntime-fp32-b1-cpu: LEASED on bench-1, measure",
        "[0/1] BENCH onnxruntime-fp32-b1-cpu: SUCCEEDED on bench-1 after 4.2 s",
    ]


def test_a_failure_says_why_on_its_line() -> None:
    out = io.StringIO()
    with PlainProgress(out) as shown:
        shown.show(job(task(state=TaskState.FAILED, failure=Failure(FailureKind.CRASHED, "died\nof SIGSEGV"))))
    assert out.getvalue().endswith("FAILED on bench-1: died of SIGSEGV\n")


def test_live_clocks_tick_between_reports() -> None:
    out, clock = io.StringIO(), [100.0]
    with LiveProgress(out, now=lambda: clock[0]) as shown:
        shown.show(job(task(elapsed_s=4.2)))
        clock[0] = 103.0
    assert "7.2 s" in out.getvalue()
