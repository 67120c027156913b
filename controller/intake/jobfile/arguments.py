"""A job as keyword arguments: turned into the text that job.yaml would hold, so that both pass the same checks.

What is wrong is placed by the argument's name, `submit(precision[1])`, where a file would have a line and a column.
"""

import json
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from controller.intake.jobfile.yaml import Document, Steps, parse
from jetfleet.errors import BadInput

# Where in job.yaml an argument stands; every other one is a section of its own.
_SECTION_OF = {
    "model": ("model",),
    "args": ("model", "args"),
    "inputs": ("model", "inputs"),
    "data": ("model", "data"),
    **{name: ("variants", name) for name in ("precision", "batch", "placement", "runtime", "exclude", "include")},
}
_LISTS = frozenset({"precision", "batch", "placement", "runtime", "exclude", "include", "targets"})
_ENTRY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class ArgumentsDocument(Document):
    """The document of arguments: its places are arguments."""

    def where(self, path: Steps, *, key: bool = False) -> str:
        steps = path[:1] if path[:1] == ("model",) else path
        for name, section in _SECTION_OF.items():
            if path[: len(section)] == section and name != "model":
                steps = (name, *path[len(section) :])
        words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps]
        return f"submit({''.join(words).lstrip('.')})"


def document_of(arguments: Mapping[str, Any]) -> Document:
    """The arguments as job.yaml; those that are None are left out. `model` is a path, or MODULE:CALLABLE.

    Raises BadInput for a value that no job file could hold.
    """
    model = arguments["model"]
    source = {"torch": model} if isinstance(model, str) and _ENTRY.fullmatch(model) else {"onnx": str(model)}
    tree: dict[str, Any] = {"apiVersion": "jetfleet/v1", "name": _name(str(model)), "model": source}
    for name, value in arguments.items():
        if value is None or name == "model":
            continue
        *sections, last = _SECTION_OF.get(name, (name,))
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[last] = _as_in_a_file(name, value)
    read = parse(_text(tree), "submit()")
    return ArgumentsDocument(read.name, read.text, read.root)


def _as_in_a_file(name: str, value: Any) -> Any:
    if name == "inputs":
        return _inputs(value)
    return _listed(value) if name in _LISTS else value


def _text(tree: Mapping[str, Any]) -> str:
    """JSON, which is YAML whose every text is quoted."""
    try:
        return json.dumps(tree, indent=2, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise BadInput(f"an argument holds what a job cannot: {error}", where="submit()") from None


def _plain(value: object) -> object:
    """What JSON does not know: paths, enums such as Precision, numbers of numpy."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a {type(value).__name__}")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _inputs(value: Any) -> Any:
    """`{"x": ["batch", 3, 224, 224]}` is short for `{"x": {"shape": [...]}}`."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"shape": list(item)} if isinstance(item, list | tuple) else item for name, item in value.items()}


def _name(model: str) -> str:
    """A job's name from its model's, where none is given."""
    found = model.partition(":")[2] if _ENTRY.fullmatch(model) else Path(model).stem
    return _NOT_IN_NAMES.sub("-", found).strip("-._")[:100] or "job"
