"""What a gate leaves for CI: JUnit, bounded Markdown, annotations; each says the same."""

import random
from xml.etree import ElementTree

from controller.model.gate import OnDoubt
from controller.report.junit import gate_junit
from controller.report.text.gate import MARKDOWN_LINES, annotations, gate_markdown, gate_table, headline, outcome
from tests.gate.test_cells import cells, in_turns, ratios, report

NOISE = random.Random(5)
PASSED = cells(in_turns(ratios(0.0, NOISE, deviation=0.002)))
FAILED = cells(in_turns(ratios(0.1, NOISE, deviation=0.002), variant="int8, <b>%0A::error::x"))


def test_the_headline_counts() -> None:
    found = report([*PASSED, *FAILED])
    assert headline(found) == (
        "FAILED: job 2 against main (job 1): 1 of 2 cells regressed, 0 cannot be told; in turns on the same boards"
    )
    assert gate_table(found).rows[0][0] == "FAILED"


def test_junit_has_a_case_for_each_cell() -> None:
    suite = ElementTree.fromstring(
        gate_junit(report([*PASSED, *FAILED], missing=("x on nano-1 has no result any more",)))
    )
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "2", "0")
    assert [case.find("failure") is not None for case in suite.iter("testcase")] == [True, False, True]


def test_junit_skips_what_cannot_be_told_where_that_is_let_through() -> None:
    from controller.model.result import FlagKind

    doubtful = cells(in_turns(ratios(0.0, NOISE), FlagKind.WRONG_OUTPUT))
    suite = ElementTree.fromstring(gate_junit(report(doubtful, on_doubt=OnDoubt.WARN)))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")


def test_junit_follows_the_policy_in_what_is_gone_and_is_never_green_for_want_of_cases() -> None:
    gone = report(PASSED, missing=("x on nano-1 has no result any more",), on_doubt=OnDoubt.WARN)
    assert not gone.is_red
    assert ElementTree.fromstring(gate_junit(gone)).get("failures") == "0"
    empty = report([])
    assert empty.is_red
    assert ElementTree.fromstring(gate_junit(empty)).get("failures") == "1"


def test_markdown_is_bounded_whatever_failed() -> None:
    text = gate_markdown(report(FAILED * 500))
    assert len(text.encode()) < 65_536
    assert text.count("\n| FAILED") == MARKDOWN_LINES
    assert "440 more" in text
    assert "<b>" not in text.replace("\\<b\\>", "")


def test_no_variant_speaks_to_github_in_the_gates_name() -> None:
    lines = list(annotations(report(FAILED)))
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error"]
    assert all("\n" not in line and "%0A" not in line for line in lines)


def test_a_gate_that_is_only_watched_raises_no_error() -> None:
    from controller.model.gate import Stage

    found = report(FAILED, stage=Stage.SHADOW)
    assert not any(line.startswith("::error") for line in annotations(found))
    assert list(outcome(found)) == ["not red: the gate's stage is shadow"]
