"""ONNX Runtime's profile: which kernels ran, in which type, and how long. Reads its JSON; knows no session."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.runtime.base import Kernel, LayerTime

_NUMPY = {"float": "float32", "double": "float64"}
_RAN = "_kernel_time"


def read_profile(path: Path, *, on_gpu: bool = False) -> list[Kernel]:
    """Every node that ran, once each, in order; a node inside a loop ran often and counts once.

    `on_gpu`: that is where they were to run, and the type of one that did not says so.
    """
    found: dict[str, Kernel] = {}
    for event in _events(path):
        if _is_node(event):
            arguments = event["args"]
            found.setdefault(event["name"], Kernel(str(arguments.get("op_name", "")), _type(arguments, on_gpu)))
    return list(found.values())


def read_layers(path: Path) -> tuple[list[LayerTime], int]:
    """Mean time of each node in an inference, in order, and over how many; the first, which warms up, does not count.

    Of the CPU provider only: what a GPU's node is said to take is how long its launch took the host.
    """
    events = _events(path)
    runs = sorted(int(event["ts"]) for event in events if event.get("name") == "model_run")[1:]
    totals_us: dict[str, int] = {}
    for event in events:
        if runs and _is_node(event) and int(event["ts"]) >= runs[0]:
            name = str(event["name"]).removesuffix(_RAN)
            totals_us[name] = totals_us.get(name, 0) + int(event["dur"])
    return [LayerTime(name, total / 1e3 / len(runs)) for name, total in totals_us.items()], len(runs)


def _events(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _is_node(event: Mapping[str, Any]) -> bool:
    return event.get("cat") == "Node" and str(event.get("name", "")).endswith(_RAN)


def _type(arguments: Mapping[str, Any], on_gpu: bool) -> str:
    """The type of a node's first input: its activations, whatever its scales and shapes are held in."""
    shown = next((str(kind) for item in arguments.get("input_type_shape", ()) for kind in item), "")
    fell_back = on_gpu and str(arguments.get("provider", "")).startswith("CPU")
    return _NUMPY.get(shown, shown) + (" on the CPU" if fell_back else "")
