"""What may stand at a place of job.yaml, in words: made from the schema itself, so that no error says anything else."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from controller.intake.jobfile.schema import json_schema
from controller.intake.jobfile.yaml import Steps
from controller.model.labels import NAME
from jetfleet.pipeline.callables import PATTERN as FUNCTION
from jetfleet.placement import PATTERN as PLACEMENT

Node: TypeAlias = Mapping[str, Any]

_NAME = "letters, digits, '.', '_' and '-', beginning with a letter or digit"
_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": _NAME,
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "the name of a power mode, like 15W or MAXN",
    r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$": "MODULE:CALLABLE, for example models:resnet50",
    r"^[A-Za-z_]\w*=([2-9]|[1-9][0-9]{1,8})$": "NAME=SIZE, like seq=128, of at least 2",
    FUNCTION: "FILE.py:FUNCTION",
    PLACEMENT: "cpu, gpu, dla0, dla1, or several joined by +",
    NAME: "letters, digits, '.', '_', '/' and '-', beginning with a letter or digit",
}
_PLAIN = {"boolean": "true or false", "object": "a mapping"}


def expected_at(steps: Steps) -> str:
    """Empty where the schema says nothing of the place."""
    nodes = _nodes_at(steps)
    words = [_described(choice) for node in nodes for choice in _choices(node)]
    return _joined(list(dict.fromkeys(filter(None, words))))


def expected_key(steps: Steps) -> str:
    """What a key of the mapping there may be, where that is a rule and not a list of names."""
    nodes = _nodes_at(steps)
    patterns = [
        pattern for node in nodes for choice in _choices(node) for pattern in choice.get("patternProperties", ())
    ]
    return _joined([_PATTERNS.get(pattern, f"text like {pattern}") for pattern in patterns])


def _nodes_at(steps: Steps) -> list[Node]:
    nodes = [_schema()]
    for step in steps:
        nodes = [inner for node in nodes for choice in _choices(node) for inner in _inside(choice, step)]
    return nodes


@cache
def _schema() -> Node:
    return json_schema()


def _choices(node: Node) -> Iterator[Node]:
    """The node itself, or what it may be instead of it; null is a key that was left out."""
    if "$ref" in node:
        yield from _choices(_schema()["$defs"][node["$ref"].rpartition("/")[2]])
    elif "anyOf" in node:
        for choice in node["anyOf"]:
            yield from _choices(choice)
    elif node.get("type") != "null":
        yield node


def _inside(node: Node, step: str | int) -> Iterator[Node]:
    if isinstance(step, int):
        found = node.get("items")
    else:
        found = node.get("properties", {}).get(step) or node.get("additionalProperties")
        patterned = list(node.get("patternProperties", {}).values())
        found = found or (patterned[0] if patterned else None)
    if isinstance(found, Mapping):
        yield found


def _described(node: Node) -> str:
    if "enum" in node or "const" in node:
        values = node.get("enum", [node.get("const")])
        words = [value for value in values if not isinstance(value, bool)]  # YAML's on and off are booleans
        return _joined([repr(value) for value in words or values])
    kind = node.get("type", "")
    if kind in ("integer", "number"):
        return _number("a whole number" if kind == "integer" else "a number", node)
    if kind == "string":
        return _text(node)
    if kind == "array":
        return "a list" + _bounds(node.get("minItems"), node.get("maxItems"))
    return _PLAIN.get(kind, "")


def _number(kind: str, node: Node) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if least is not None and most is not None:
        return f"{kind} from {_digits(least)} to {_digits(most)}"
    parts = [
        f"{words} {_digits(node[key])}"
        for key, words in (
            ("exclusiveMinimum", "above"),
            ("minimum", "of at least"),
            ("maximum", "of at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in node
    ]
    return f"{kind} {' and '.join(parts)}".rstrip()


def _digits(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e12 else f"{number:g}"


def _text(node: Node) -> str:
    if "pattern" in node:
        return _PATTERNS.get(node["pattern"], f"text like {node['pattern']}")
    if "maxLength" in node:
        return f"text of at most {node['maxLength']} characters"
    return "some text" if node.get("minLength") else "text"


def _bounds(least: int | None, most: int | None) -> str:
    if least and most:
        return f" of {least} to {most}"
    if least:
        return f" of at least {least}"
    return f" of at most {most}" if most else ""


def _joined(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
