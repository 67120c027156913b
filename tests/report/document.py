"""Writes the table of docs/metrics.md from the list of metrics: `python -m tests.report.document`, or `make docs`."""

from pathlib import Path

from controller.report.text.metrics import metrics_table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
_BEGIN, _END = "<!-- generated: make docs -->\n", "<!-- end -->\n"


def written(text: str) -> str:
    """The document with its table as the list has it now."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_table()}{_END}{after}"


def _table() -> str:
    table = metrics_table()
    lines = (table.columns, tuple("---" for _ in table.columns), *table.rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
