"""Of very many comparisons the most telling are shown, and none is lost: all are counted, and decide the exit code."""

from dataclasses import replace

import pytest

from controller.analysis.compare import compare
from controller.cli.compare import gate_code, print_compared
from controller.cli.formats import Format
from controller.model.comparison import Answer, Axis, ComparisonReport
from controller.report.text.telling import MOST, most_telling
from tests.analysis.runs import repeats, row


def boards(count: int) -> ComparisonReport:
    """All alike but two: one slow, one half as slow."""
    quiet = [item for number in range(count) for item in repeats(first=10_000 + 100 * number, device=f"nano-{number}")]
    rows = [row(number, 10.0, device=f"nano-{number}") for number in range(count - 2)]
    rows += [row(count - 2, 11.0, device=f"nano-{count - 2}"), row(count - 1, 12.0, device=f"nano-{count - 1}")]
    return compare(rows, by=Axis.DEVICE, history=quiet)


def test_few_are_shown_as_they_are() -> None:
    compared = boards(5)
    assert most_telling(compared) == (compared, ())


def test_of_many_the_largest_differences_are_shown_in_the_order_of_the_report() -> None:
    compared = boards(12)
    shown, lines = most_telling(compared, 3)
    assert [item.answer for item in shown.comparisons] == [Answer.SAME, Answer.SLOWER, Answer.SLOWER]
    assert [item.row.device for item in shown.comparisons][1:] == ["nano-10", "nano-11"]
    assert lines[1] == "all 11: 2 SLOWER, 9 SAME"
    assert most_telling(compared, 1)[0].comparisons[0].row.device == "nano-11"


def test_the_widest_spreads_of_boards_are_shown() -> None:
    (spread,) = boards(4).spreads
    spreads = tuple(replace(spread, p50_ms={"a": 1.0, "b": 1.0 + share}) for share in (0.1, 0.3, 0.2))
    shown, lines = most_telling(replace(boards(4), spreads=spreads), 2)
    assert (shown.spreads, len(lines)) == (spreads[1:], 3)


def test_the_command_prints_a_bounded_table_and_fails_on_what_it_does_not_show(
    capsys: pytest.CaptureFixture[str],
) -> None:
    compared = boards(6)
    slower = [item for item in compared.comparisons if item.answer is Answer.SLOWER]
    many = replace(compared, comparisons=(*compared.comparisons, *slower * MOST))
    print_compared(many, Format.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("  SLOWER") for line in lines) == MOST
    assert not any(line.endswith("  SAME") for line in lines)
    assert f"all {len(many.comparisons)}: {len(slower) * (MOST + 1)} SLOWER, 3 SAME" in map(str.strip, lines)
    assert gate_code(many, frozenset({"SAME"})) == 3
    print_compared(many, Format.CSV)
    assert sum("SAME" in line for line in capsys.readouterr().out.splitlines()) == 3
