"""A gate as JUnit XML, which every CI system shows: a case per cell."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from controller.model.gate import CellVerdict, GateReport, OnDoubt
from controller.report.text.gate import headline, outcome, worst_first

# What XML 1.0 cannot hold.
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def gate_junit(report: GateReport) -> str:
    """What cannot be told is skipped, or a failure where that is the policy."""
    doubt_fails = report.on_doubt is OnDoubt.FAIL
    doubts = report.count(CellVerdict.CANNOT_TELL) + len(_gone(report))
    counts = {
        "name": f"gate of job {report.job_id}",
        "tests": str(len(report.cells) + len(_gone(report))),
        "failures": str(report.count(CellVerdict.FAILED) + (doubts if doubt_fails else 0)),
        "skipped": str(0 if doubt_fails else doubts),
    }
    suite = Element("testsuite", counts)
    for cell in worst_first(report.cells):
        row = cell.comparison.row
        case = SubElement(
            suite, "testcase", classname=f"gate.{cell.limit.metric}", name=_clean(f"{row.variant_key} on {row.device}")
        )
        if cell.verdict is not CellVerdict.PASSED:
            is_failure = doubt_fails or cell.verdict is CellVerdict.FAILED
            _say(case, cell.verdict.value, cell.reason, is_failure=is_failure)
    for text in _gone(report):
        case = SubElement(suite, "testcase", classname="gate.missing", name=_clean(text))
        _say(case, "MISSING", text, is_failure=doubt_fails)
    SubElement(suite, "system-out").text = _clean("\n".join([headline(report), *outcome(report)]))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _say(case: Element, kind: str, message: str, *, is_failure: bool) -> None:
    if is_failure:
        SubElement(case, "failure", type=kind, message=_clean(message))
    else:
        SubElement(case, "skipped", message=_clean(message))


def _gone(report: GateReport) -> Sequence[str]:
    """A suite of no cases would be green."""
    return report.missing or (() if report.cells else ("nothing to hold against the baseline",))


def _clean(text: str) -> str:
    return _INVALID.sub("", text)
