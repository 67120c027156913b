"""ONNX Runtime's profile: which kernels ran, and in which type. Reads its JSON; knows no session."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.runtime.base import Kernel

_NUMPY = {"float": "float32", "double": "float64"}
_RAN = "_kernel_time"


def read_profile(path: Path) -> list[Kernel]:
    """Every node that ran, once each, in order; a node inside a loop ran often and counts once."""
    found: dict[str, Kernel] = {}
    for event in json.loads(path.read_text(encoding="utf-8")):
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith(_RAN):
            arguments = event["args"]
            found.setdefault(event["name"], Kernel(str(arguments.get("op_name", "")), _type(arguments)))
    return list(found.values())


def _type(arguments: Mapping[str, Any]) -> str:
    """The type of a node's first input: its activations, whatever its scales and shapes are held in."""
    shown = next((str(kind) for item in arguments.get("input_type_shape", ()) for kind in item), "")
    return _NUMPY.get(shown, shown)
