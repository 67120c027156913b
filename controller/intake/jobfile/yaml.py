"""Strict YAML: text to a tree in which every key and value knows its line and column. Builds no Python objects.

Refused: aliases, anchors, tags, duplicate keys, several documents, keys that are not text, and anything over the
limits. Plain scalars follow the core schema of YAML 1.2, so `no`, `on` and `yes` are text and `012` is twelve.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from jetfleet.errors import BadInput

STDIN = Path("-")
MAX_BYTES = 256 << 10
MAX_DEPTH = 20
MAX_NODES = 20_000
_MAX_DIGITS = 40

Scalar: TypeAlias = bool | int | float | str | None
Steps: TypeAlias = tuple[str | int, ...]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w./-]*")
_FLOW_HINT = 'inside { } and [ ], quote text that holds any of , : # [ ] { }, for example "uniform[0,255]"'


@dataclass(frozen=True)
class Mark:
    """Where something starts; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Node:
    """A value of the document: a scalar, a list of nodes, or a mapping whose keys have marks of their own."""

    value: "Scalar | list[Node] | dict[str, Node]"
    mark: Mark
    key_marks: dict[str, Mark] = field(default_factory=dict)

    def child(self, step: str | int) -> "Node | None":
        """What a key or an index leads to, if it is here."""
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None

    def plain(self) -> object:
        """The value without its marks."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True)
class Document:
    """A file as the user wrote it, and the tree that it means."""

    name: str
    text: str
    root: Node

    def where(self, path: Steps, *, key: bool = False) -> str:
        """`file:line:column` of what `path` leads to, or of the nearest thing around it. `key`: of its key."""
        node, mark = self.root, self.root.mark
        for step in path:
            child = node.child(step)
            if child is not None:
                mark = node.key_marks[str(step)] if key and isinstance(node.value, dict) else child.mark
                node = child
        return f"{self.name}:{mark.line}:{mark.column}"

    def error(self, path: Steps, message: str, *, expected: str = "", hint: str = "", key: bool = False) -> BadInput:
        return BadInput(message, where=self.where(path, key=key), expected=expected, hint=hint)


def read(path: Path) -> Document:
    """Reads and parses a file, or standard input, which is called `-`. Raises BadInput."""
    name = "standard input" if path == STDIN else str(path)
    try:
        with sys.stdin.buffer if path == STDIN else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=name, expected="a job file") from error
    if len(content) > MAX_BYTES:
        raise BadInput("the file is too large", where=name, expected=f"at most {MAX_BYTES >> 10} KiB of YAML")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise BadInput(f"byte {error.start} is not UTF-8", where=f"{name}:{line}:{column}", expected="UTF-8") from error
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Raises BadInput, and nothing else, whatever the text."""
    if len(text) > MAX_BYTES:
        raise BadInput("the file is too large", where=name, expected=f"at most {MAX_BYTES >> 10} KiB of YAML")
    try:
        return Document(name, text, _Builder(name, text).document())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = error.problem or error.context or "it cannot be read"
        hint = _FLOW_HINT if "expected ',' or" in problem else ""
        raise BadInput(f"not YAML: {problem}", where=where, hint=hint) from error
    except yaml.reader.ReaderError as error:
        line, column = _place(text, error.position)
        raise BadInput("a control character is not allowed in YAML", where=f"{name}:{line}:{column}") from error
    except (ValueError, OverflowError) as error:  # the scanner's own, on escapes such as "\UFFFFFFFF"
        raise BadInput(f"not YAML: {error}", where=name) from error


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


class _Builder:
    """Makes the tree from the parser's events, so that nothing is expanded and the limits hold while it grows."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._nodes = 0

    def document(self) -> Node:
        next(self._events)  # the stream's start
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise BadInput("the file is empty", where=f"{self._name}:1:1", expected="apiVersion, name and model")
        root = self._node(next(self._events), depth=0)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._refuse(after, "a second document starts here", expected="one document in the file")
        return root

    def _node(self, event: yaml.Event, *, depth: int) -> Node:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise self._refuse(event, "nested too deeply", expected=f"at most {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            raise self._refuse(event, "too many values", expected=f"at most {MAX_NODES} values in the file")
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse(event, f"aliases are not allowed (*{event.anchor})", expected="the value written out")
        if getattr(event, "anchor", None) is not None:
            raise self._refuse(event, "anchors are not allowed", expected="the value written out where it is used")
        if getattr(event, "tag", None) is not None:
            raise self._refuse(event, "tags are not allowed", expected="plain YAML", hint="remove the !tag")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(event, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        return Node(self._scalar(event) if isinstance(event, yaml.ScalarEvent) else None, _mark(event))

    def _list(self, start: yaml.Event, depth: int) -> Node:
        found: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, depth=depth + 1))
        return Node(found, _mark(start))

    def _mapping(self, start: yaml.Event, depth: int) -> Node:
        found: dict[str, Node] = {}
        marks: dict[str, Mark] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth=depth + 1).value
            if not isinstance(key, str):
                written = getattr(event, "value", "this")
                hint = f'quote it: "{written}"' if isinstance(event, yaml.ScalarEvent) else ""
                raise self._refuse(event, f"the key {written!r} is not text", expected="text", hint=hint)
            if key in found:
                first = marks[key]
                raise self._refuse(
                    event,
                    f"the key {key!r} is given twice",
                    expected=f"it once; it is also at line {first.line}, column {first.column}",
                )
            marks[key] = _mark(event)
            found[key] = self._node(next(self._events), depth=depth + 1)
        return Node(found, _mark(start), marks)

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text: str = event.value
        if event.style is not None:
            return text
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            if len(text) > _MAX_DIGITS:
                raise self._refuse(event, "a number with too many digits", expected=f"at most {_MAX_DIGITS}")
            return _number(text)
        if text in _NULL:
            return None
        return text in _TRUE if text in _TRUE or text in _FALSE else text

    def _refuse(self, event: yaml.Event, message: str, *, expected: str, hint: str = "") -> BadInput:
        mark = _mark(event)
        return BadInput(message, where=f"{self._name}:{mark.line}:{mark.column}", expected=expected, hint=hint)


def _number(text: str) -> int | float:
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _mark(event: yaml.Event) -> Mark:
    mark = event.start_mark
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def quoted(name: str) -> str:
    """A key as YAML takes it."""
    plain = _PLAIN_KEY.fullmatch(name) and name not in {"null", "true", "false"}
    return name if plain else json.dumps(name)
