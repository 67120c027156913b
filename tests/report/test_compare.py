"""A comparison as a table, its whys, CSV, Markdown and JSON: typed, explained, and harmless."""

import io
import json

from controller.analysis.compare import compare
from controller.cli.formats import print_json
from controller.model.comparison import Axis, ComparisonReport
from controller.model.result import FlagKind, Provenance
from controller.record.comparison import compared_record
from controller.report.text.compare import compare_table, csv_table, spread_table, why
from controller.report.text.table import Table, plain_lines, print_csv, print_markdown, rich_table
from tests.analysis.runs import BOARD, row


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
    return compare(rows, by=Axis.DEVICE)


def test_the_table_types_every_row_and_explains_what_is_not_plain() -> None:
    lines = list(plain_lines(compare_table(sample())))
    assert lines[0].split("  ")[0] == "job"
    cells = {line.split()[2]: line.split() for line in lines[1:]}
    assert cells["nano-2"][3:] == ["MEASURED", "10.60", "10.000", "1.060", "1.059", "..", "1.061", "SLOWER"]
    assert cells["nano-3"][-1] == "SAME"
    assert cells["nano-5"][-2:] == ["NOT_VALID", "(THROTTLED)"]
    assert cells["nano-6"][6:] == ["n/a", "n/a", "INCOMPARABLE"]
    assert cells["nano-8"][3] == "SIMULATED"
    assert cells["nano-9"][5] == "n/a"
    said = "\n".join(why(sample()))
    assert said.startswith("ratio: p50 over that of device nano-1; below 1 is faster. Noise floor: the minimum of 2.0%")
    assert "job 6, tensorrt-fp16-b1-gpu on nano-6: INCOMPARABLE: power_mode is MAXN, 15W in the baseline" in said
    assert "job 5, tensorrt-fp16-b1-gpu on nano-5: NOT_VALID: THROTTLED: seen" in said
    assert "job 9, other on nano-9: INCOMPARABLE: other has no result on nano-1" in said
    assert said.endswith("1 of 7 rows are SIMULATED: made-up numbers, not measurements")


def test_no_floor_is_named_where_none_was_used() -> None:
    found = compare([row(1), row(2, 10.0, FlagKind.INTERFERED)])
    assert next(why(found)) == "ratio: p50 over that of job 1; below 1 is faster"


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
    assert by_device["nano-2"]["noise_floor"] == 0.02
    assert by_device["nano-2"]["noise_floor_source"] == "the minimum of 2.0%"
    assert by_device["nano-2"]["ratio_reason"] is None
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
