"""A gate for people: cells with their verdicts, the worst first, and one line that says what it amounts to."""

from collections.abc import Iterator, Sequence

from controller.model.baseline import Baseline
from controller.model.gate import CellVerdict, GateCell, GateReport, OnDoubt, Stage
from controller.report.text.table import Table, markdown_text
from controller.report.text.words import moment, one_line
from jetfleet.plural import counted

_ORDER = (CellVerdict.FAILED, CellVerdict.CANNOT_TELL, CellVerdict.PASSED)
MARKDOWN_LINES = 60  # a comment on a pull request has 65,536 characters, and a reader has less patience


def gate_table(report: GateReport) -> Table:
    return Table(
        columns=("verdict", "metric", "variant", "device", "change", "why"),
        rows=[_cells(cell) for cell in worst_first(report.cells)],
        right=frozenset({"change"}),
        folding=frozenset({"variant", "why"}),
        empty="nothing to hold against the baseline",
    )


def worst_first(cells: Sequence[GateCell]) -> list[GateCell]:
    return sorted(cells, key=lambda cell: _ORDER.index(cell.verdict))


def headline(report: GateReport) -> str:
    """`FAILED: job 12 against main (job 9): 1 of 8 cells regressed, 0 cannot be told; in turns`."""
    base = f"{report.baseline_name} (job {report.baseline_id})" if report.baseline_name else f"job {report.baseline_id}"
    how = "in turns on the same boards" if report.interleaved else "by stored numbers"
    counts = f"{report.count(CellVerdict.FAILED)} of {counted(len(report.cells), 'cell')} regressed"
    doubt = f"{report.count(CellVerdict.CANNOT_TELL)} cannot be told"
    return f"{report.verdict.value}: job {report.job_id} against {base}: {counts}, {doubt}; {how}"


def outcome(report: GateReport) -> Iterator[str]:
    """Why it is red or not, and what is missing."""
    yield from (one_line(text) for text in report.missing)
    yield from (one_line(text) for text in report.notes)
    if report.stage is not Stage.BLOCK and report.verdict is not CellVerdict.PASSED:
        yield f"not red: the gate's stage is {report.stage.value}"
    elif report.verdict is CellVerdict.CANNOT_TELL:
        policy = {OnDoubt.FAIL: "red", OnDoubt.WARN: "a warning", OnDoubt.LET_THROUGH: "let through"}[report.on_doubt]
        yield f"what cannot be told is {policy}: --cannot-tell {report.on_doubt.value}"


def gate_markdown(report: GateReport) -> str:
    """Bounded: what passed is counted, what did not is listed, the worst first."""
    lines = [f"### {markdown_text(headline(report))}", ""]
    told = [cell for cell in worst_first(report.cells) if cell.verdict is not CellVerdict.PASSED]
    if told:
        lines += ["| verdict | metric | variant | device | change | why |", "| --- | --- | --- | --- | --: | --- |"]
        lines += [f"| {' | '.join(map(markdown_text, _cells(cell)))} |" for cell in told[:MARKDOWN_LINES]]
    if len(told) > MARKDOWN_LINES:
        lines.append(f"\n{len(told) - MARKDOWN_LINES} more: `controller gate ... --json` has all.")
    passed = report.count(CellVerdict.PASSED)
    lines += ["", f"{counted(passed, 'cell')} passed.", ""]
    lines += [f"- {markdown_text(line)}" for line in list(outcome(report))[:MARKDOWN_LINES]]
    return "\n".join(lines).rstrip() + "\n"


def annotations(report: GateReport) -> Iterator[str]:
    """GitHub's workflow commands; an error only where the gate is red."""
    for cell in worst_first(report.cells):
        if cell.verdict is not CellVerdict.PASSED:
            level = "error" if report.is_red and cell.verdict is CellVerdict.FAILED else "warning"
            title = _property(f"{cell.limit.metric}: {cell.verdict.value}")
            row = cell.comparison.row
            yield f"::{level} title={title}::{_message(f'{row.variant_key} on {row.device}: {cell.reason}')}"
    yield f"::{'error' if report.is_red else 'notice'} title=jetfleet gate::{_message(headline(report))}"


def baseline_table(found: Sequence[Baseline]) -> Table:
    return Table(
        columns=("baseline", "device class", "job", "since", "set by"),
        rows=[
            (
                item.name,
                item.device_class or "every class",
                str(item.job_id),
                moment(item.set_at) if item.set_at else "",
                item.set_by or "unknown",
            )
            for item in found
        ],
        right=frozenset({"job"}),
        empty="no baselines: controller baseline set NAME JOB",
    )


def _cells(cell: GateCell) -> tuple[str, ...]:
    row = cell.comparison.row
    return cell.verdict.value, cell.limit.metric, row.variant_key, row.device, _change(cell), cell.reason


def _change(cell: GateCell) -> str:
    value = cell.comparison.effect.change.value if cell.comparison.effect else None
    if value is None:
        return "n/a"
    return f"{value * 100:+.2g}pt" if cell.limit.in_points else f"{(value - 1) * 100:+.2f}%"


def _message(text: str) -> str:
    """As GitHub unescapes it: https://docs.github.com/en/actions/reference/workflow-commands."""
    return one_line(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
