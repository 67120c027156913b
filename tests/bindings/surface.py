"""What an imported TensorRT offers, as JSON on stdout: `python surface.py MODULE`. Runs in a process of its own.

Needs nothing but the standard library: what is imported here was made for another TensorRT than is installed.
"""

import importlib
import inspect
import json
import re
import sys
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


def _returned(value: object) -> str:
    getter = value.fget if isinstance(value, property) else value
    match = _RETURNS.search(getattr(getter, "__doc__", None) or "")
    return match[1] if match else ""


if __name__ == "__main__":
    module = importlib.import_module(sys.argv[1])
    json.dump({"version": module.__version__, "surface": surface(module)}, sys.stdout)
