"""Writes docs/datasette.json, what Datasette shows beside the views, from docs/database.md: `make docs`."""

import json
import re
from pathlib import Path
from typing import Any

from controller.store.sqlite.views import VIEWS
from jetfleet.metrics import COLUMNS, METRICS

_DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITTEN = _DOCS / "datasette.json"
_LINE = re.compile(r"^\| (?:`(?P<name>\w+)`|\*(?P<many>[\w ]+)\*) \| ?(?P<words>.*?) ?\|$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_UNITS = (("_per_s", "1/s"), ("_ms", "ms"), ("_s", "s"), ("_bytes", "bytes"))
_METRICS = {column: metric for metric in METRICS for column in metric.columns}


def metadata() -> dict[str, Any]:
    text = (_DOCS / "database.md").read_text(encoding="utf-8")
    tables = {view: _table(text.partition(f"## {view}\n")[2].partition("\n## ")[0]) for view in VIEWS}
    return {
        "title": "jetfleet",
        "description": "NULL is unknown, never 0. Never average over MEASURED and SIMULATED; rank only VALID rows.",
        "databases": {"fleet": {"tables": tables}},
    }


def _table(section: str) -> dict[str, Any]:
    words: dict[str, str] = {}
    for found in _LINE.finditer(section):
        if found["name"]:
            words[found["name"]] = _plain(found["words"])
        elif found["many"] == "metrics":
            words |= {column: _of_metric(column) for column in COLUMNS}
        else:
            words |= {metric.name: metric.meaning for metric in METRICS}
    units = {name: unit for name in words if (unit := _unit(name))}
    described = {name: _with_unit(text or name.replace("_", " "), units.get(name)) for name, text in words.items()}
    return {"description": _plain(section.strip().partition("\n\n")[0]), "columns": described, "units": units}


def _with_unit(words: str, unit: str | None) -> str:
    """Newer versions of Datasette show the words alone."""
    return f"{words} ({unit})" if unit else words


def _plain(words: str) -> str:
    return " ".join(_LINK.sub(r"\1", words).replace("`", "").split())


def _of_metric(column: str) -> str:
    metric = _METRICS[column]
    part = metric.parts[metric.columns.index(column)]
    ends = {"low": "lower end of the 95 % interval of", "high": "upper end of the 95 % interval of"}
    before = {**ends, "reason": "why there is none of:"}.get(part, "")
    return f"{before} {metric.meaning}".strip()


def _unit(name: str) -> str:
    metric = _METRICS.get(name)
    if metric is not None:
        return "" if name.endswith("_reason") else metric.unit
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "")


def written() -> str:
    return json.dumps(metadata(), indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    WRITTEN.write_text(written(), encoding="utf-8")
