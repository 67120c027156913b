"""A gate as JUnit XML, which every CI system shows: a case per cell."""

import re
from xml.etree.ElementTree import Element, SubElement, tostring

from controller.model.gate import CellVerdict, GateReport, OnDoubt
from controller.report.text.gate import headline, outcome, worst_first

# What XML 1.0 cannot hold.
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def gate_junit(report: GateReport) -> str:
    """What cannot be told is skipped, or a failure where that is the policy."""
    doubt_fails = report.on_doubt is OnDoubt.FAIL
    failures = report.count(CellVerdict.FAILED) + (report.count(CellVerdict.CANNOT_TELL) if doubt_fails else 0)
    failures += len(report.missing)
    skipped = 0 if doubt_fails else report.count(CellVerdict.CANNOT_TELL)
    counts = {
        "name": f"gate of job {report.job_id}",
        "tests": str(len(report.cells) + len(report.missing)),
        "failures": str(failures),
        "skipped": str(skipped),
    }
    suite = Element("testsuite", counts)
    for cell in worst_first(report.cells):
        row = cell.comparison.row
        name = _clean(f"{row.variant_key} on {row.device}")
        case = SubElement(suite, "testcase", classname=f"gate.{cell.limit.metric}", name=name)
        if cell.verdict is CellVerdict.FAILED or (cell.verdict is CellVerdict.CANNOT_TELL and doubt_fails):
            SubElement(case, "failure", type=cell.verdict.value, message=_clean(cell.reason))
        elif cell.verdict is CellVerdict.CANNOT_TELL:
            SubElement(case, "skipped", message=_clean(cell.reason))
    for text in report.missing:
        case = SubElement(suite, "testcase", classname="gate.missing", name=_clean(text))
        SubElement(case, "failure", type="MISSING", message=_clean(text))
    SubElement(suite, "system-out").text = _clean("\n".join([headline(report), *outcome(report)]))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    return _INVALID.sub("", text)
