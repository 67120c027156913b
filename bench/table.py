"""Figures for people: a table for a terminal, and the same for the record."""

from collections.abc import Sequence
from typing import Any

from bench.figure import Figure

_HEAD = ("bar", "what", "measured", "bar's limit", "", "note")


def terminal(figures: Sequence[dict[str, Any]]) -> str:
    rows = [_HEAD, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def markdown(machine: dict[str, Any], figures: Sequence[dict[str, Any]]) -> str:
    said = ", ".join(f"{name} {value}" for name, value in machine.items())
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_row, figures)]
    table = "".join("| " + " | ".join(row) + " |\n" for row in rows)
    return f"# Measured {machine['date']}\n\n{said}\n\n`met` and `missed` are by the bars of `make bench`.\n\n{table}"


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    limits = {name: item[name] for name in ("at_most", "at_least")}
    figure = Figure(item["what"], item["value"], item["unit"], note=item["note"], **limits)
    verdict = {True: "met", False: "missed", None: ""}[figure.met]
    return (item["bar"], figure.what, f"{figure.value:.4g} {figure.unit}".strip(), figure.limit, verdict, figure.note)
