"""Writes the table of docs/operations.md from the list of numbers: `python -m tests.operations.document`."""

import re
from pathlib import Path

from controller.service.exposition import NUMBERS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
_TABLE = re.compile(r"(?<=<!-- generated: make docs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """The document with its table as the list has it now. Raises ValueError where it has no place for one."""
    found, count = _TABLE.subn(_table(), text)
    if count != 1:
        raise ValueError(f"{count} places for the table")
    return found


def _table() -> str:
    rows = [(f"`{item.shown}`", item.kind, ", ".join(item.labels), item.help) for item in NUMBERS]
    lines = [("number", "kind", "labels", "what it is"), ("---",) * 4, *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
