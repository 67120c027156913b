"""A comparison as a table, its whys, CSV, Markdown and JSON: typed, explained, and harmless."""

import io
import json
from dataclasses import replace

import pytest

from controller.analysis.compare import compare
from controller.cli.formats import print_json
from controller.model.comparison import Axis, ComparisonReport
from controller.model.result import Estimate, FlagKind, Provenance, Row
from controller.record.comparison import compared_record
from controller.report.text.compare import compare_table, csv_table, spread_table, why
from controller.report.text.table import Table, plain_lines, print_csv, print_markdown, rich_table
from tests.analysis.runs import BOARD, repeats, row, run


def sample() -> ComparisonReport:
    fake = {"provenance": Provenance.SIMULATED}
    rows = [
        row(1, job_id=1),
        row(2, 10.6, device="nano-2"),
        row(3, 10.0, device="nano-3"),
        row(4, 12.0, device="nano-4"),
        row(5, 10.0, FlagKind.THROTTLED, device="nano-5"),
        row(6, 10.0, device="nano-6", facts={**BOARD, "power_mode": "MAXN"}),
        row(7, 10.0, device="nano-1", **fake),
        row(8, 20.0, device="nano-8", **fake),
        row(9, 10.0, device="nano-9", variant_key="other"),
    ]
    devices = enumerate(("nano-1", "nano-2", "nano-3", "nano-4"), start=1)
    history = [item for n, device in devices for item in repeats(first=1000 * n, device=device)]
    return compare(rows, by=Axis.DEVICE, history=history)


def test_the_table_types_every_row_and_explains_what_is_not_plain() -> None:
    lines = list(plain_lines(compare_table(sample())))
    assert lines[0].split("  ")[0] == "job"
    cells = {line.split()[2]: line.split() for line in lines[1:]}
    assert cells["nano-2"][3:8] == ["MEASURED", "10.60", "10.00", "1.060", "1.058"]
    assert cells["nano-2"][8:] == ["..", "1.062", "0.34", "%", "SLOWER"]
    assert cells["nano-3"][-1] == "SAME"
    assert cells["nano-5"][-2:] == ["NOT_VALID", "(THROTTLED)"]
    assert cells["nano-6"][6:] == ["n/a", "n/a", "n/a", "INCOMPARABLE"]
    assert cells["nano-8"][3] == "SIMULATED"
    assert cells["nano-9"][5] == "n/a"
    said = "\n".join(why(sample()))
    assert said.startswith(
        "ratio: p50_ms over that of device nano-1; below 1 is faster. "
        "Noise floor: 0.2%, learnt from 12 A/A benches on nano-1"
    )
    assert "nano-8 has no VALID repeats (`controller noise nano-8`)" in said
    assert "SAME: the whole interval is within 1 %." in said
    assert "job 6, tensorrt-fp16-b1-gpu on nano-6: INCOMPARABLE: power_mode is MAXN, 15W in the baseline" in said
    assert "job 5, tensorrt-fp16-b1-gpu on nano-5: NOT_VALID: THROTTLED: seen" in said
    assert "job 9, other on nano-9: INCOMPARABLE: other has no result on nano-1" in said
    assert said.endswith("1 of 7 rows is SIMULATED: made-up numbers, not measurements")


def test_no_floor_is_named_where_none_was_used() -> None:
    found = compare([row(1), row(2, 10.0, FlagKind.INTERFERED)])
    assert next(why(found)) == "ratio: p50_ms over that of job 1; below 1 is faster"


def test_the_spread_of_boards_names_the_odd_one() -> None:
    lines = [line.split("  ") for line in plain_lines(spread_table(sample()))]
    measured = next(line for line in lines if "MEASURED" in line)
    assert measured[-1] == "nano-4"
    simulated = " ".join(next(line for line in lines if "SIMULATED" in line))
    assert "100.0%" in simulated
    assert "none (2 boards" in simulated


def test_one_thing_alone_is_said_to_be_alone() -> None:
    alone = compare([row(1)], by=Axis.JOB)
    assert compare_table(alone).empty == "nothing to compare: these results hold one job only, 1"
    assert list(why(alone)) == []
    assert compare_table(compare([])).empty == "no results"


def test_csv_has_a_line_for_each_comparison() -> None:
    out = io.StringIO()
    print_csv(csv_table(sample()), out=out)
    heading, *lines = out.getvalue().splitlines()
    assert heading.startswith("by,baseline,measurement_id,task_id,job_id,model,variant,device,provenance,verdict")
    assert len(lines) == 7
    assert all(line.startswith("device,nano-1,") for line in lines)


def test_json_is_whole_and_plain() -> None:
    out = io.StringIO()
    print_json({"compared": compared_record(sample())}, out=out)
    found = json.loads(out.getvalue())["compared"]
    assert (found["by"], found["baseline"]) == ("device", "nano-1")
    by_device = {item["row"]["device"]: item for item in found["comparisons"]}
    assert by_device["nano-2"]["answer"] == "SLOWER"
    assert by_device["nano-2"]["noise_floor"] == pytest.approx(0.0023, abs=1e-4)
    assert "learnt from 12 A/A benches on nano-" in by_device["nano-2"]["noise_floor_source"]
    assert by_device["nano-2"]["ratio_reason"] is None
    assert by_device["nano-2"]["source"] == "RUNS"
    assert by_device["nano-2"]["adjusted_p"] > by_device["nano-2"]["p_value"]
    (effect,) = by_device["nano-2"]["effects"]
    assert (effect["metric"], effect["ratio"]) == ("p50_ms", by_device["nano-2"]["ratio"])
    assert by_device["nano-6"]["effects"] == []
    assert by_device["nano-9"]["baseline"] is None
    assert by_device["nano-8"]["row"]["provenance"] == "SIMULATED"
    assert {item["provenance"] for item in found["spreads"]} == {"MEASURED", "SIMULATED"}


def test_markdown_shows_text_and_obeys_none_of_it() -> None:
    out = io.StringIO()
    print_markdown(Table(("a", "b ms"), [("x|<b>[y](z)\n\x1b[31m", "1.5")], right=frozenset({"b ms"})), out=out)
    assert out.getvalue() == "| a | b ms |\n| --- | --: |\n| x\\|\\<b\\>\\[y\\](z) | 1.5 |\n"
    empty = io.StringIO()
    print_markdown(Table(("a",), [], empty="nothing"), out=empty)
    assert empty.getvalue() == "nothing\n"


def test_a_terminal_colours_the_answers() -> None:
    columns = rich_table(compare_table(sample())).columns
    styles = {cell.plain: cell.style for cell in columns[-1].cells}
    assert (styles["SLOWER"], styles["NOT_VALID (THROTTLED)"]) == ("bold red", "red")


def full(number: int, *, accuracy: float, p99_ms: float, per_s: float, batch: int) -> Row:
    made = row(number, job_id=1, variant_key=f"v-b{batch}", batch=batch)
    metrics = {"p50_ms": 10.0, "p99_ms": p99_ms, "throughput_per_s": per_s}
    runs = tuple(
        run(index, **{name: value * (1 + 0.001 * index) for name, value in metrics.items()}) for index in range(5)
    )
    estimates = {name: Estimate(value) for name, value in {**metrics, "accuracy": accuracy}.items()}
    return replace(made, measurement=replace(made.measurement, runs=runs, metrics=estimates, accuracy_n=1000))


def test_tails_accuracy_and_throughput_stand_beside_the_answer() -> None:
    rows = [
        full(1, accuracy=0.8, p99_ms=12.0, per_s=100.0, batch=1),
        full(2, accuracy=0.7, p99_ms=36.0, per_s=300.0, batch=8),
    ]
    table = compare_table(compare(rows))
    assert table.columns[-4:] == ("p99 ms ratio", "throughput per s ratio", "accuracy change", "answer")
    ((*_, tail, throughput, accuracy, answer),) = table.rows
    assert tail.startswith("0.375 (")
    assert throughput.startswith("3.000 (")
    assert accuracy.startswith("-10.00 (-13.")
    assert answer == "FASTER"  # per item
    asked = compare(rows, metric="accuracy")
    assert compare_table(asked).columns[4:7] == ("accuracy", "baseline accuracy", "change")
    assert next(why(asked)).startswith("change: accuracy less that of variant v-b1, in points; above 0 is better")
    assert compare_table(asked).rows[0][6] == "-10.00"
    assert compare_table(asked).rows[0][-1] == "WORSE"


def test_what_cannot_be_told_says_what_would() -> None:
    said = "\n".join(why(compare([row(1), row(2, 10.3)])))
    assert "CANNOT_TELL: the interval holds no difference, and more than the margin of 1 %" in said
    assert "to know: hold both against each other in the same processes: `submit --ab`" in said
