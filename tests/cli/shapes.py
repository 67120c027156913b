"""What docs/json.md says, read from its tables, and documents held against it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jetfleet.metrics import METRICS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "json.md"
_LINE = re.compile(r"^\| (?:`(\w+)`|\*(\w+)\*) \|([^|]*)\|", re.MULTILINE)
_PLAIN = {"string": str, "boolean": bool, "map": dict, "list": list}
Shape = Mapping[str, str]


def shapes() -> dict[str, Shape]:
    """The keys of every shape with what their values are."""
    sections = re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
    found: dict[str, Shape] = {}
    for section in sections:
        name, _, body = section.partition("\n")
        if name != "Documents":
            found[name] = dict(_keys(body, found))
    return found


def documents() -> set[tuple[str, str]]:
    """The top-level keys, with what their values are."""
    section = DOCUMENT.read_text().partition("## Documents\n")[2].partition("\n## ")[0]
    return {
        (cells[1].strip("`"), cells[2])
        for line in section.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 3 and cells[1].startswith("`")
    }


def _keys(body: str, before: Mapping[str, Shape]) -> Iterator[tuple[str, str]]:
    for key, include, value in _LINE.findall(body):
        if key:
            yield key, value.strip()
        elif include == "metrics":
            for metric in METRICS:
                for part, column in zip(metric.parts, metric.columns, strict=True):
                    yield column, "string or null" if part == "reason" else "number or null"
        else:
            yield from before[include].items()


class Reader:
    """Holds documents against the shapes; `seen` are the shapes that some document had."""

    def __init__(self) -> None:
        self.shapes, self.documents = shapes(), documents()
        self.seen: set[str] = set()
        self.keys: set[str] = set()

    def read(self, document: Mapping[str, Any]) -> None:
        """Fails at the first value that is not as written."""
        for key, value in document.items():
            kinds = [kind for name, kind in self.documents if name == key]
            assert kinds, f"{key} is not documented"
            self.keys.add(key)
            self._value(value, kinds[0], key)

    def _value(self, value: Any, kind: str, where: str) -> None:
        bare = kind.removesuffix(" or null")
        if value is None:
            assert bare != kind, f"{where} is null"
        elif bare.startswith("["):
            assert isinstance(value, list), where
            for item in value:
                self._value(item, bare.strip("[]"), f"{where}[]")
        elif bare in self.shapes:
            self._object(value, bare, where)
        elif bare == "number":
            assert isinstance(value, int | float), where
            assert not isinstance(value, bool), where
        else:
            assert isinstance(value, _PLAIN[bare]), f"{where} is {value!r}"

    def _object(self, value: Any, shape: str, where: str) -> None:
        self.seen.add(shape)
        assert isinstance(value, dict), where
        assert set(value) == set(self.shapes[shape]), f"{where}: {set(value) ^ set(self.shapes[shape])} of {shape}"
        for key, kind in self.shapes[shape].items():
            self._value(value[key], kind, f"{where}.{key}")
