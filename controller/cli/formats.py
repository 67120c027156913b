"""How a verb ends: `--json` (docs/json.md), `--csv`, `--markdown` or a table, one at most, and what they share."""

import json
import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TextIO

import typer

if TYPE_CHECKING:
    from controller.report.text.table import Table


class Format(Enum):
    TABLE = "a table"
    JSON = "--json"
    CSV = "--csv"
    MARKDOWN = "--markdown"


# Of every JSON document. It changes when a key is renamed, removed or given another meaning, and not when one is added.
SCHEMA_VERSION = 1


def print_json(document: Mapping[str, Any], *, out: TextIO, in_one_line: bool = False) -> None:
    """ASCII only, so that no text from a device can reach a terminal as anything but itself."""
    indent = None if in_one_line else 2
    versioned = {"schema_version": SCHEMA_VERSION, **document}
    print(json.dumps(versioned, indent=indent, ensure_ascii=True, allow_nan=False), file=out, flush=True)


def one_format(*, json: bool, csv: bool, markdown: bool) -> Format:
    """Raises BadParameter for more than one."""
    asked = [item for item, on in ((Format.JSON, json), (Format.CSV, csv), (Format.MARKDOWN, markdown)) if on]
    if len(asked) > 1:
        raise typer.BadParameter(f"choose one of {', '.join(item.value for item in asked)}")
    return asked[0] if asked else Format.TABLE


def print_json_or_tables(document: Mapping[str, Any], *sections: "Table | Iterable[str]", as_json: bool) -> None:
    """One JSON object, or the tables with the lines that belong to them; a blank line before a table that follows."""
    if as_json:
        print_json(document, out=sys.stdout)
        return
    for number, section in enumerate(sections):
        _print_section(section, is_first=number == 0)


def _print_section(section: "Table | Iterable[str]", *, is_first: bool) -> None:
    from controller.report.text.table import Table, print_lines, print_table

    if not isinstance(section, Table):
        print_lines(section, out=sys.stdout)
        return
    if not is_first:
        print()
    print_table(section, out=sys.stdout)


def print_with_notes(table: "Table", notes: Iterable[str], *, markdown: bool) -> None:
    """The table and, on stdout too because they belong to the numbers, the lines below it."""
    from controller.report.text.table import markdown_text, print_lines, print_markdown, print_table

    if not markdown:
        print_table(table, out=sys.stdout)
        print_lines(notes, out=sys.stdout)
        return
    print_markdown(table, out=sys.stdout)
    lines = list(notes)
    if lines:
        print()
    for line in lines:
        print(f"- {markdown_text(line)}")
