"""Tables on a terminal, in a pipe and as CSV; results with everything that qualifies them."""

import csv
import io
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace

import pytest

from controller.model.result import Estimate, Flag, FlagKind, Provenance, Run, Schedule
from controller.model.task import Failure, FailureKind, Progress, TaskState
from controller.report.text.devices import device_table, devices_table
from controller.report.text.jobs import failures, jobs_table, tasks_table
from controller.report.text.results import csv_table, evidence, refused_of, results_table, wrong_outputs
from controller.report.text.table import LAYOUT, Layout, Table, plain_lines, print_csv, print_table
from controller.report.text.words import clean, estimate
from jetfleet.errors import BadInput
from jetfleet.version import VERSION
from testing.measurements import row
from testing.views import device, job, task


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Makes terminals, as wide as COLUMNS says, that take colour."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    return Terminal


def cells(table: Table) -> dict[str, str]:
    return dict(zip(table.columns, table.rows[0], strict=True))


def printed(table: Table, out: io.StringIO) -> str:
    print_table(table, out=out)
    return out.getvalue()


def test_a_result_reads_with_interval_accuracy_and_verdict() -> None:
    assert cells(results_table([row()])) == {
        "job": "12",
        "variant": "onnxruntime-fp32-b1-cpu",
        "device": "bench-1",
        "provenance": "MEASURED",
        "p50 ms": "14.72 ± 0.34 %",
        "p90 ms": "15.20",
        "p99 ms": "16.00",
        "per s": "67.90",
        "accuracy": "0.7612 (n=1000)",
        "verdict": "VALID",
    }


@pytest.mark.parametrize("kind", [FlagKind.INTERFERED, FlagKind.UNSTABLE, FlagKind.WRONG_OUTPUT])
def test_only_valid_rows_promise_an_interval(kind: FlagKind) -> None:
    """Machines read it all the same."""
    ran = tuple(Run(index, 100, 1.0, 0.3, 30, 0.5) for index in range(5))
    doubted = row(runs=ran, flags=(Flag(kind, "seen"),), p50_ms=Estimate(14.72, 0.01, 50.0))
    assert cells(results_table([doubted]))["p50 ms"] == "14.72 (5 runs)"
    assert doubted.measurement.p50_ms.high == 50.0
    assert "±" not in "".join(evidence([replace(doubted, measurement=replace(doubted.measurement, repeats=0))]))


def test_what_is_assumed_is_said_of_valid_rows_and_as_the_least() -> None:
    (line,) = (line for line in evidence([row(repeats=0)]) if "±" in line)
    assert "differ by at least 2%" in line
    assert "controller noise bench-1" in line


@pytest.mark.parametrize(("high", "shown"), [(20.0, "10.00 ± 95 %"), (31.0, "10.00 ± >100 %"), (3e5, "10.00 ± >100 %")])
def test_an_interval_of_more_than_everything_is_told_so(high: float, shown: str) -> None:
    assert estimate(Estimate(10.0, 1.0, high), n=5) == shown


def test_an_interval_says_of_how_many_processes_it_is() -> None:
    ran = [Run(index, 100, 1.0, 0.3, 30, 0.5) for index in range(5)]
    void = replace(ran[0], index=5, void_reason="PAUSED: seen")
    assert cells(results_table([row(runs=(*ran, void))]))["p50 ms"] == "14.72 ± 0.34 % (5 runs)"
    alone = row(runs=(ran[0],), p50_ms=Estimate(14.72, reason="one run: 14.6 to 14.8 within it, unknown for the next"))
    assert cells(results_table([alone]))["p50 ms"] == "14.72 (1 run)"


def test_a_percentile_that_no_run_supports_names_the_samples_of_one() -> None:
    ran = tuple(Run(index, 99, 1.0, 0.3, 30, 0.5) for index in range(5))
    sparse = row(n=495, runs=ran, p99_ms=Estimate(None, reason="n=99 < 299"))
    assert cells(results_table([sparse]))["p99 ms"] == "n/a (n=99)"


def test_what_is_missing_says_so_and_why() -> None:
    sparse = row(
        n=120,
        p99_ms=Estimate(None, reason="needs 300 samples"),
        accuracy=Estimate(None),
        throughput_per_s=Estimate(None),
    )
    shown = cells(results_table([sparse]))
    assert (shown["p99 ms"], shown["accuracy"], shown["per s"]) == ("n/a (n=120)", "unknown", "unknown")
    assert list(evidence([sparse])) == ["job 12, onnxruntime-fp32-b1-cpu on bench-1: no p99: needs 300 samples"]


def test_flags_name_the_worst_first_and_bring_their_evidence() -> None:
    flags = (Flag(FlagKind.UNSTABLE, "rounds differ by 9 %"), Flag(FlagKind.WRONG_OUTPUT, "logits off\x1b[2J by 3"))
    flagged = row(flags=flags)
    assert cells(results_table([flagged]))["verdict"] == "WRONG_OUTPUT, UNSTABLE"
    assert [line.split(": ", 1)[1] for line in evidence([flagged])] == [
        "UNSTABLE: rounds differ by 9 %",
        "WRONG_OUTPUT: logits off by 3",
    ]
    assert wrong_outputs([flagged, row()]) == [flagged]


def test_simulated_rows_are_marked_and_counted() -> None:
    rows = [row(), row(provenance=Provenance.SIMULATED)]
    assert [cells[3] for cells in results_table(rows).rows] == ["MEASURED", "SIMULATED"]
    assert list(evidence(rows)) == ["1 of 2 rows is SIMULATED: made-up numbers, not measurements"]


def test_a_whole_task_and_its_subjects_are_told_apart() -> None:
    absent = Estimate(None, reason="no one latency")
    whole = row(subject_index=None, p50_ms=absent, p90_ms=absent, p99_ms=absent)
    parts = [replace(item, schedule=Schedule.CONCURRENT) for item in (row(), row(subject_index=1), whole)]
    assert [cells(results_table([item]))["variant"] for item in parts] == [
        "onnxruntime-fp32-b1-cpu (subject 0: cpu)",
        "onnxruntime-fp32-b1-cpu (subject 1: cpu)",
        "onnxruntime-fp32-b1-cpu (whole task)",
    ]
    assert cells(results_table(parts[2:]))["p50 ms"] == "n/a (n=800)"
    assert list(evidence(parts[2:])) == ["whole tasks: no p50, p90, p99: no one latency"]
    assert cells(csv_table(parts[2:]))["p50_ms_reason"] == "no one latency"
    assert [cells(csv_table([item]))["subject_index"] for item in parts] == ["0", "1", ""]


def test_what_a_whole_task_says_of_its_subjects_is_said_once() -> None:
    disturbed = Flag(FlagKind.INTERFERED, "waited 9 %")
    of_both = replace(disturbed, evidence="subject 0 on cpu and subject 1 on cpu: waited 9 %")
    own = Flag(FlagKind.UNSTABLE, "drifts")
    absent = Estimate(None, reason="no one latency")
    parts = [row(flags=(disturbed, own)), row(subject_index=1, flags=(disturbed,))]
    whole = row(subject_index=None, flags=(of_both,), p50_ms=absent, p90_ms=absent, p99_ms=absent)
    together = [replace(item, schedule=Schedule.CONCURRENT) for item in (whole, *parts)]
    called = "job 12, onnxruntime-fp32-b1-cpu"
    alone = replace(row(flags=(disturbed,)), job_id=13, task_id=6)
    assert list(evidence([alone, *together])) == [
        "job 13, onnxruntime-fp32-b1-cpu on bench-1: INTERFERED: waited 9 %",
        f"{called} (whole task) on bench-1: INTERFERED: subject 0 on cpu and subject 1 on cpu: waited 9 %",
        f"{called} (subject 0: cpu) on bench-1: UNSTABLE: drifts",
        "whole tasks: no p50, p90, p99: no one latency",
    ]


def test_csv_has_every_field_and_leaves_the_unknown_empty() -> None:
    out = io.StringIO()
    print_csv(csv_table([row(p99_ms=Estimate(None, reason="few"), facts={"arch": "x86_64"})]), out=out)
    (record,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert (record["p50_ms"], record["p50_ms_low"], record["p99_ms"]) == ("14.7213", "14.67", "")
    assert (record["fact.arch"], record["p99_ms_reason"], record["verdict"]) == ("x86_64", "few", "VALID")


def test_csv_cells_are_never_formulas() -> None:
    out = io.StringIO()
    print_csv(Table(("a", "b", "c"), [("=cmd()", "-1.5", "@x")]), out=out)
    assert out.getvalue() == "a,b,c\n'=cmd(),-1.5,'@x\n"


def test_a_pipe_gets_aligned_lines_without_escapes() -> None:
    table = Table(("name", "n"), [("a\x1b[31m", "1"), ("[b]long", "12345")], right=frozenset({"n"}))
    assert list(plain_lines(table)) == ["name         n", "a            1", "[b]long  12345"]
    assert "\x1b" not in printed(table, io.StringIO())


def test_a_pipe_never_cuts_a_line_unless_columns_says_how_wide_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(("a",), [("x" * 300,)])
    monkeypatch.delenv("COLUMNS", raising=False)
    assert "x" * 300 in printed(table, io.StringIO())
    monkeypatch.setenv("COLUMNS", "20")
    folded = printed(table, io.StringIO())
    assert max(map(len, folded.splitlines())) == 20
    assert folded.count("x") == 300


def test_a_terminal_gets_colour_but_not_the_devices(watched: Callable[[], Terminal]) -> None:
    shown = printed(Table(("verdict", "text"), [("VALID", "\x1b[5m[bold]as it is[/bold]")]), watched())
    assert "\x1b[32mVALID" in shown
    assert "[bold]as it is[/bold]" in shown
    assert "\x1b[5m" not in shown


def test_no_color_is_respected(watched: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed(Table(("verdict",), [("VALID",)]), watched())


def test_a_narrow_terminal_folds_what_may_fold(
    watched: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    table = Table(("a", "b"), [("x" * 40, "yyyyyy")], folding=frozenset({"a"}))
    lines = [clean(line) for line in printed(table, watched()).splitlines()]
    assert max(map(len, lines)) <= 30
    assert sum(line.count("x") for line in lines) == 40
    assert sum("yyyyyy" in line for line in lines) == 1


_GONE = ["per s", "p90 ms", "job", "accuracy"]


@pytest.mark.parametrize(("width", "gone"), [(100, _GONE), (80, [*_GONE, "p99 ms"])])
def test_a_table_leaves_columns_out_to_keep_a_line_for_each_row(
    watched: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch, width: int, gone: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [replace(row(), variant_key=f"onnxruntime-fp32-b{batch}-cpu") for batch in (16, 8, 1)]
    lines = [line.rstrip() for line in clean(printed(results_table(rows), watched())).splitlines() if line.strip()]
    assert lines[0] == f"not shown: {', '.join(gone)} (--wide)"
    shown = [line for line in lines if "onnxruntime" in line]
    assert [word for line in shown for word in line.split() if "-b" in word] == [
        f"onnxruntime-fp32-b{batch}-cpu" for batch in (1, 8, 16)
    ]
    assert max(map(len, lines)) <= width
    assert all("VALID" in line for line in shown)


def test_whoever_looks_chooses_the_columns() -> None:
    context = copy_context()
    context.run(LAYOUT.set, Layout(columns=("verdict", "p50_ms")))
    assert context.run(printed, results_table([row()]), io.StringIO()).split() == [
        *("verdict", "p50", "ms", "VALID", "14.72", "±", "0.34", "%"),
    ]
    context.run(LAYOUT.set, Layout(columns=("p51",)))
    with pytest.raises(BadInput, match="'p51' is not a column here"):
        context.run(printed, results_table([row()]), io.StringIO())


def test_a_bench_that_was_refused_at_submit_is_a_row_with_its_reason() -> None:
    failure = Failure(FailureKind.BUILD_REFUSED, "float16 cannot hold 70000")
    bench = replace(
        task(state=TaskState.FAILED), name="onnxruntime-fp16-b1-cpu", attempts=0, failure=failure, device=""
    )
    refused = refused_of(job(bench))
    assert results_table([], refused).rows[0][-1] == "BUILD_REFUSED"
    assert list(evidence([], refused)) == ["job 12, onnxruntime-fp16-b1-cpu: BUILD_REFUSED: float16 cannot hold 70000"]
    assert refused_of(job(replace(bench, attempts=1))) == []


def test_evidence_is_grouped() -> None:
    flagged = [
        replace(row(flags=(Flag(FlagKind.UNSTABLE, "drifts"),)), device=f"orin-{k}", task_id=k) for k in (10, 9, 2)
    ]
    (line,) = evidence(flagged)
    places = "; ".join(f"job 12, onnxruntime-fp32-b1-cpu on orin-{k}" for k in (2, 9, 10))
    assert line == f"{places}: UNSTABLE: drifts"


def test_a_terminal_too_narrow_gets_a_line_per_cell(
    watched: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = printed(results_table([row(provenance=Provenance.SIMULATED), row()]), watched())
    assert "provenance  SIMULATED\n" in shown
    assert "p50 ms      14.72 ± 0.34 %\n" in shown
    assert len(shown.split("\n\n")) == 2


def test_a_dumb_terminal_and_ci_are_not_watched(
    watched: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(("verdict",), [("VALID",)])
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in printed(table, watched())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("CI", "true")
    assert "\x1b" not in printed(table, watched())


def test_an_empty_table_says_what_to_do() -> None:
    assert "controller submit" in printed(jobs_table([]), io.StringIO())
    assert "--local" in printed(devices_table([]), io.StringIO())


def test_tasks_show_phase_and_failures_their_cause() -> None:
    running = task(progress=Progress("measure", 0.4))
    assert cells(tasks_table([running]))["phase"] == "measure 40 %"
    failed = task(state=TaskState.FAILED, failure=Failure(FailureKind.CRASHED, "the child\x1b[H died"))
    skipped = task(state=TaskState.SKIPPED, because_of_task=1, device="")
    assert list(failures([running, failed, skipped])) == [
        "BENCH onnxruntime-fp32-b1-cpu on bench-1: CRASHED: the child died",
        "BENCH onnxruntime-fp32-b1-cpu: skipped because of task 1",
    ]
    assert cells(jobs_table([job(running)]))["tasks"] == "0/1"


def test_a_failure_keeps_its_lines() -> None:
    said = "model.onnx: the model cannot be read\n  expected: opset 20\x1b[2J or older\n  fix: export it again"
    failed = task(state=TaskState.FAILED, failure=Failure(FailureKind.BAD_INPUT, said))
    assert list(failures([failed])) == [
        "BENCH onnxruntime-fp32-b1-cpu on bench-1: BAD_INPUT: model.onnx: the model cannot be read\n"
        "    expected: opset 20 or older\n"
        "    fix: export it again"
    ]
    silent = task(state=TaskState.FAILED, failure=Failure(FailureKind.CRASHED, ""))
    assert list(failures([silent])) == ["BENCH onnxruntime-fp32-b1-cpu on bench-1: CRASHED: "]


def test_devices_say_what_they_are_and_what_is_unknown() -> None:
    shown = cells(devices_table([device()]))
    assert (shown["state"], shown["kind"], shown["jetpack"]) == ("online", "real", "unknown")
    assert shown["runtimes"] == "onnxruntime 1.23.0"
    simulated = device(online=False, facts={"simulated": True, "sku": "orin-nano-8gb"})
    shown = cells(devices_table([simulated]))
    assert (shown["state"], shown["kind"], shown["hardware"]) == ("offline", "SIMULATED", "orin-nano-8gb")
    facts = dict(device_table(device(cordoned="3 faults"), controller_version=VERSION).rows)
    assert (facts["state"], facts["cordoned"], facts["power_mode"]) == ("cordoned", "3 faults", "unknown")
    assert facts["runtime.onnxruntime"] == "1.23.0"
