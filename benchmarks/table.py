"""Figures for people: a table for a terminal, and the same for the record."""

from collections.abc import Sequence
from typing import Any

from benchmarks.figure import Figure

_HEAD = ("bar", "what", "measured", "bar's limit", "", "note")
_ONCE = ("date", "gpu", "cpu", "cores", "kernel", "python")  # of the machine: the same for all bars of a record


def terminal(figures: Sequence[dict[str, Any]]) -> str:
    rows = [_HEAD, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def markdown(machine: dict[str, Any], figures: Sequence[dict[str, Any]]) -> str:
    """Bars may have been run at different times of the day: revision and load stand beside each."""
    said = ", ".join(f"{name} {machine[name]}" for name in _ONCE if name in machine)
    head = (*_HEAD, "revision", "load")
    own = [item.get("machine", {}) for item in figures]
    runs = [(str(at.get("revision", "")), str(at.get("load_1min", ""))) for at in own]
    rows = [head, ("---",) * len(head), *((*_row(item), *run) for item, run in zip(figures, runs, strict=True))]
    table = "".join("| " + " | ".join(row) + " |\n" for row in rows)
    return f"# Measured {machine['date']}\n\n{said}\n\n`met` and `missed` are by the bars of `make bench`.\n\n{table}"


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    limits = {name: item[name] for name in ("at_most", "at_least")}
    figure = Figure(item["what"], item["value"], item["unit"], note=item["note"], **limits)
    verdict = {True: "met", False: "missed", None: ""}[figure.met]
    measured = "not measured" if figure.value is None else f"{figure.value:.4g} {figure.unit}".strip()
    return (item["bar"], figure.what, measured, figure.limit, verdict, figure.note)
