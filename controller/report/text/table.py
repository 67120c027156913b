"""Tables: rich on a terminal, aligned columns in a pipe, CSV for programs, Markdown for pages.

Knows nothing of what is in them. A pipe gets one row per line, never cut and never coloured, and rich is not even
imported for it: unless COLUMNS says how wide it may be, and then it is laid out as on a terminal of that width.
"""

import csv
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, TextIO

from controller.report.text.words import one_line
from jetfleet.errors import BadInput
from jetfleet.streams import encodable

if TYPE_CHECKING:
    from rich.table import Table as RichTable

STYLES: Mapping[str, str] = {
    "VALID": "green",
    "SUCCEEDED": "green",
    "online": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "SKIPPED": "yellow",
    "CANCELLED": "yellow",
    "cordoned": "red",
    "offline": "dim",
    "unknown": "dim",
    "SIMULATED": "bold magenta",
    "WRONG_OUTPUT": "bold red",
    "FASTER": "green",
    "SLOWER": "bold red",
    "BETTER": "green",
    "WORSE": "bold red",
    "CANNOT_TELL": "yellow",
    "INCOMPARABLE": "yellow",
    "NOT_VALID": "red",
}

_FOLDED_WIDTH = 12
_WORD_END = re.compile(r",| \(")
_MARKUP = re.compile(r"[\\|<>\[\]`*&]")


@dataclass(frozen=True)
class Table:
    """Cells are text as it came; they are cleaned here. `right` names the columns that hold numbers, `folding` those
    that may be broken into lines where the terminal is narrow.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[str] = frozenset()
    folding: frozenset[str] = frozenset()
    empty: str = "nothing to show"
    optional: tuple[str, ...] = ()  # left out on a narrow terminal, the first of these first


@dataclass(frozen=True)
class Layout:
    """How whoever looks wants tables: `wide` leaves no column out, `columns` are those that are shown."""

    wide: bool = False
    columns: tuple[str, ...] = ()


_USUAL = Layout()
LAYOUT: ContextVar[Layout] = ContextVar("layout", default=_USUAL)


def data_table(columns: tuple[str, ...], records: Sequence[Mapping[str, object]]) -> Table:
    """Records as text for programs: empty is unknown, a number is written as Python reads it back."""
    return Table(columns=columns, rows=[tuple(_data_cell(record[name]) for name in columns) for record in records])


def _data_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else repr(value)


def on_terminal(out: TextIO) -> bool:
    """Whether somebody watches: no pipe, no dumb terminal, no CI (whose logs would keep every frame)."""
    return out.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def print_table(table: Table, *, out: TextIO) -> None:
    """Raises BadInput for a column that was asked for and is not one."""
    table = shown_on(only_columns(table, LAYOUT.get().columns), out)
    width = None if on_terminal(out) else asked_width()
    if not table.rows:
        for line in _wrapped(table.empty, width):
            print(line, file=out)
    elif width or on_terminal(out):
        _print_fitted(table, out, width)
    else:
        for line in plain_lines(table):
            print(line, file=out)


def _print_fitted(table: Table, out: TextIO, width: int | None) -> None:
    """No width: the terminal's own."""
    from rich.console import Console

    console = Console(file=out, width=width, force_terminal=False if width else None)
    table, left_out = fitted(table, console.width)
    if left_out:
        console.print(f"not shown: {', '.join(left_out)} (--wide)", style="dim", markup=False, highlight=False)
    if _least_width(table) <= console.width:
        console.print(rich_table(table))
    else:
        console.print("\n\n".join(stacked(table)), markup=False, highlight=False)


def print_lines(lines: Iterable[str], *, out: TextIO) -> None:
    """What belongs below a table, indented; broken into lines where COLUMNS says how wide they may be."""
    width = None if on_terminal(out) else asked_width()
    for line in lines:
        for part in _wrapped(line, width and width - 2):
            print(f"  {part}", file=out)


def _wrapped(line: str, width: int | None) -> list[str]:
    return [line] if width is None else textwrap.wrap(line, max(width, _FOLDED_WIDTH))


def asked_width() -> int | None:
    """COLUMNS, if somebody set it: then it is heeded by a pipe and a file, too."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) else None


def shown_on(table: Table, out: IO[str]) -> Table:
    """The table with ASCII forms in it where the output needs them: before it is laid out, because they are longer."""
    encoding = getattr(out, "encoding", None)
    rows = [tuple(encodable(cell, encoding) for cell in row) for row in table.rows]
    return replace(table, rows=rows, empty=encodable(table.empty, encoding))


def fitted(table: Table, width: int) -> tuple[Table, list[str]]:
    """The table with a line for each row, without the optional columns that a terminal has no room for, and those."""
    left_out: list[str] = []
    for name in () if LAYOUT.get().wide or LAYOUT.get().columns else table.optional:
        if _width(table) <= width:
            break
        left_out.append(name)
        table = only_columns(table, [column for column in table.columns if column != name])
    return table, left_out


def only_columns(table: Table, names: Sequence[str]) -> Table:
    """Those columns in that order; `per-s` is `per s`. No names: all."""
    if not names:
        return table
    known = {_word(column): index for index, column in enumerate(table.columns)}
    if unknown := [name for name in names if _word(name) not in known]:
        raise BadInput(f"{unknown[0]!r} is not a column here", where="--columns", expected=", ".join(known))
    indexes = [known[_word(name)] for name in names]
    columns = tuple(table.columns[index] for index in indexes)
    return replace(table, columns=columns, rows=[tuple(row[index] for index in indexes) for row in table.rows])


def _word(column: str) -> str:
    return column.strip().lower().replace(" ", "-").replace("_", "-")


def _width(table: Table) -> int:
    """Of the rich table with every cell on one line."""
    return _least_width(replace(table, folding=frozenset()))


def print_csv(table: Table, *, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_inert(cell) for cell in row] for row in table.rows)


def print_markdown(table: Table, *, out: TextIO) -> None:
    """GitHub's tables; numbers to the right."""
    if not table.rows:
        print(table.empty, file=out)
        return
    rules = ("--:" if title in table.right else "---" for title in table.columns)
    for row in (table.columns, tuple(rules), *table.rows):
        print("|", " | ".join(markdown_text(cell) for cell in row), "|", file=out)


def markdown_text(text: str) -> str:
    """One line that a renderer shows as it is: no markup, no cell of its own. Intra-word underscores are left alone."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def plain_lines(table: Table) -> Iterator[str]:
    """A heading and a line per row, columns two spaces apart."""
    rows = [table.columns, *(tuple(one_line(cell) for cell in row) for row in table.rows)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(table.columns))]
    for row in rows:
        cells = [
            cell.rjust(width) if title in table.right else cell.ljust(width)
            for cell, width, title in zip(row, widths, table.columns, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def stacked(table: Table) -> Iterator[str]:
    """Each row as lines of its own, for a terminal that is too narrow for the columns."""
    width = max(len(title) for title in table.columns)
    for row in table.rows:
        yield "\n".join(f"{title:{width}}  {one_line(cell)}" for title, cell in zip(table.columns, row, strict=True))


def _least_width(table: Table) -> int:
    """Of the rich table: folding columns at their least, one space left and two between columns."""
    widths = [
        max(_FOLDED_WIDTH, len(title))
        if title in table.folding
        else max(len(title), *(len(one_line(row[index])) for row in table.rows))
        for index, title in enumerate(table.columns)
    ]
    return sum(widths) + 3 * len(widths)


def rich_table(table: Table) -> "RichTable":
    """For a terminal: the folding columns give way to its width. Text is never read as markup."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in table.columns:
        made.add_column(
            title,
            justify="right" if title in table.right else "left",
            overflow="fold",
            no_wrap=title not in table.folding,
        )
    for row in table.rows:
        cells = (one_line(cell) for cell in row)
        made.add_row(*(Text(cell, style=STYLES.get(_WORD_END.split(cell)[0], "")) for cell in cells))
    return made


def _inert(text: str) -> str:
    """A cell that a spreadsheet would run as a formula gets a quote in front: devices choose some of these texts."""
    text = one_line(text)
    try:
        float(text)
    except ValueError:
        return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return text
