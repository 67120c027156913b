"""A job's progress where nobody watches: a line per change, and no more. On a terminal: a table in place."""

import io

from controller.model.task import Failure, FailureKind, Progress, TaskKind, TaskState
from controller.report.text.jobs import doing
from controller.report.text.progress import LiveDisplay, PlainDisplay
from testing.views import job, task


def test_a_line_per_change_and_not_per_percent() -> None:
    out = io.StringIO()
    with PlainDisplay(out) as shown:
        shown.show(job(task(state=TaskState.READY, device="", attempts=0, elapsed_s=None)))
        for fraction in (0.1, 0.2, 0.3):
            shown.show(job(task(progress=Progress("measure", fraction))))
        shown.show(job(task(state=TaskState.SUCCEEDED)))
    assert out.getvalue().splitlines() == [
        "[0/1] BENCH onnxruntime-fp32-b1-cpu: queued",
        "[0/1] BENCH onnxruntime-fp32-b1-cpu: running on bench-1, measure",
        "[0/1] BENCH onnxruntime-fp32-b1-cpu: done on bench-1 after 4.2 s",
    ]


def test_an_attempt_that_has_said_nothing_yet_has_no_phase() -> None:
    out = io.StringIO()
    with PlainDisplay(out) as shown:
        shown.show(job(task(progress=Progress())))
    assert out.getvalue() == "[0/1] BENCH onnxruntime-fp32-b1-cpu: running on bench-1\n"


def test_a_failure_says_why_on_its_line() -> None:
    out = io.StringIO()
    with PlainDisplay(out) as shown:
        shown.show(job(task(state=TaskState.FAILED, failure=Failure(FailureKind.CRASHED, "died\nof SIGSEGV"))))
    assert out.getvalue().endswith("failed on bench-1: died of SIGSEGV\n")


def test_live_clocks_tick_between_reports() -> None:
    out, clock = io.StringIO(), [100.0]
    with LiveDisplay(out, now=lambda: clock[0]) as shown:
        shown.show(job(task(elapsed_s=4.2)))
        clock[0] = 103.0
    assert "7.2 s" in out.getvalue()


def test_what_a_build_does_comes_in_a_line_that_the_terminal_cuts() -> None:
    out = io.StringIO()
    path = "Building engine: Optimizing graph: Timing tactics of node_conv2d_17 + node_relu_18"
    building = task(kind=TaskKind.BUILD, name="tensorrt-fp16-b1-gpu", progress=Progress("build", 0.4, path))
    with LiveDisplay(out) as shown:
        shown._console.width = 80
        shown.show(job(building, *(task(id=number, progress=Progress("run", None, "x")) for number in range(9))))
    frame = out.getvalue().splitlines()
    (line,) = [line for line in frame if "Building engine" in line]
    assert line.startswith("BUILD tensorrt-fp16-b1-gpu on bench-1: build 40 %: Building engine: ")
    assert (len(line), line[-1]) == (80, "…")
    assert len([line for line in frame if line.startswith(("BUILD ", "BENCH "))]) == 8


def test_a_detail_from_a_device_cannot_steer_a_terminal() -> None:
    ended = task(state=TaskState.SUCCEEDED, progress=Progress("build", 1.0, "over"))
    running = task(progress=Progress("build", None, "Timing\x1b[2J\ntactics"))
    assert list(doing([ended, running])) == [
        "BENCH onnxruntime-fp32-b1-cpu on bench-1: build: Timing tactics",
    ]
