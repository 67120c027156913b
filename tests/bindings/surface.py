"""What an imported TensorRT offers, as JSON on stdout: `python surface.py MODULE`. Runs in a process of its own.

Needs nothing but the standard library: what is imported here was made for another TensorRT than is installed.
"""

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from types import ModuleType

# pybind11 writes each signature into the docstring: `name(self: a.B, ...) -> a.C`.
_RETURNS = re.compile(r"\) -> (?:\w+\.)*(\w+)")


def surface(module: ModuleType) -> dict[str, dict[str, str]]:
    """Class, or "" for the module itself -> name -> the class that a call returns or an attribute holds, or "" ."""
    found: dict[str, dict[str, str]] = {"": dict.fromkeys(dir(module), "")}
    for name, value in vars(module).items():
        if inspect.isclass(value):
            _describe(name, value, found)
        elif callable(value):
            found[""][name] = _returned(value)
    return found


def _describe(name: str, described: type, found: dict[str, dict[str, str]]) -> None:
    found[name] = {member: _returned(getattr(described, member, None)) for member in dir(described)}
    for member, value in vars(described).items():
        if inspect.isclass(value) and value is not described and member != "__class__":
            found[name][member] = ""
            _describe(f"{name}.{member}", value, found)


def arguments(module: ModuleType) -> dict[str, dict[str, list[int]]]:
    """Class -> method -> the fewest and the most arguments that it takes beside self, over all of its signatures."""
    classes = {name: value for name, value in vars(module).items() if inspect.isclass(value)}
    return {name: dict(_counted(value)) for name, value in classes.items()}


def _counted(described: type) -> Iterator[tuple[str, list[int]]]:
    for name in dir(described):
        doc = getattr(getattr(described, name, None), "__doc__", None) or ""
        signatures = re.findall(rf"^(?:\d+\. )?{re.escape(name)}\((self: .*)\) -> ", doc, re.MULTILINE)
        taken = [_split(signature)[1:] for signature in signatures]
        if taken:
            fewest = min(sum("=" not in argument for argument in parts) for parts in taken)
            yield name, [fewest, max(len(parts) for parts in taken)]


def _split(signature: str) -> list[str]:
    """At the commas that stand in no bracket."""
    parts, depth = [""], 0
    for char in signature:
        depth += (char in "[(<{") - (char in "])>}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _returned(value: object) -> str:
    getter = value.fget if isinstance(value, property) else value
    match = _RETURNS.search(getattr(getter, "__doc__", None) or "")
    return match[1] if match else ""


if __name__ == "__main__":
    module = importlib.import_module(sys.argv[1])
    told = {"version": module.__version__, "surface": surface(module), "arguments": arguments(module)}
    json.dump(told, sys.stdout)
