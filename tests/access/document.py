"""Writes the table of docs/security.md from the table of access: `python -m tests.access.document`, or `make docs`."""

from pathlib import Path

from controller.model.access import CallerRole
from controller.service.access import TABLE, AccessRow, Owned, Reach

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "security.md"
_BEGIN, _END = "<!-- generated: make docs -->\n", "<!-- end -->\n"
_WORDS = {None: "", Reach.ANY: "yes", Reach.OWN: "own"}


def written(text: str) -> str:
    """The document with its table as the code has it now."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_table()}{_END}{after}"


def _table() -> str:
    heads = ("call", *(role.value for role in CallerRole), "own means that")
    lines = [heads, tuple("---" for _ in heads), *(_line(name, row) for name, row in TABLE.items())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _line(name: str, row: AccessRow) -> tuple[str, ...]:
    cells = [_WORDS[row.reach_of(role)] for role in CallerRole]
    return (f"`{name}`", *cells, "" if row.owned is Owned.NOTHING else row.owned.value)


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
