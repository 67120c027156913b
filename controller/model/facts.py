"""What can be known about a device: one flat, typed mapping, and the table of its keys.

`Facts` maps a key to a value. An absent key is unknown, and unknown never matches anything. Keys with a dot are
families: `runtime.onnxruntime`, `label.rack`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

FactValue: TypeAlias = str | int | bool | tuple[str, ...]
Facts: TypeAlias = Mapping[str, FactValue]


class FactType(Enum):
    TEXT = "text"
    NUMBER = "number"
    FLAG = "true or false"
    VERSION = "version"
    SET = "set of words"


FACT_TYPES: Mapping[str, FactType] = {
    "hostname": FactType.TEXT,
    "arch": FactType.TEXT,
    "os": FactType.TEXT,
    "kernel": FactType.TEXT,
    "cpu_model": FactType.TEXT,
    "cpu_isa": FactType.SET,
    "cpu_count": FactType.NUMBER,
    "memory_bytes": FactType.NUMBER,
    "python": FactType.VERSION,
    "container": FactType.TEXT,
    "module": FactType.TEXT,
    "module_source": FactType.TEXT,
    "sku": FactType.TEXT,
    "l4t": FactType.VERSION,
    "jetpack": FactType.VERSION,
    "cuda": FactType.VERSION,
    "cudnn": FactType.VERSION,
    "nvidia_runtime": FactType.FLAG,
    "gpu": FactType.TEXT,
    "gpu_driver": FactType.VERSION,
    "gpu_integrated": FactType.FLAG,
    "gpu_memory_bytes": FactType.NUMBER,
    "compute_capability": FactType.VERSION,
    "sm_count": FactType.NUMBER,
    "dla_cores": FactType.NUMBER,
    "dla_compiler": FactType.VERSION,
    "power_mode": FactType.TEXT,
    "power_modes": FactType.SET,
    "settable_power_modes": FactType.SET,
    "lockable_clocks": FactType.SET,
    "power_rails": FactType.TEXT,
    "thermal_readable": FactType.FLAG,
    "own_engines_only": FactType.FLAG,
    "pillow": FactType.VERSION,
    "callables": FactType.SET,
    "simulated": FactType.FLAG,
}
FAMILIES: Mapping[str, FactType] = {"runtime": FactType.VERSION, "label": FactType.TEXT}


OWN_ENGINES_ONLY = "own_engines_only"

# Not a fact: the name or the id of a device, where a condition is meant for one by its name.
DEVICE_NAME = "device"


def fact_type(key: str) -> FactType | None:
    """The type of a key, or None if no such fact exists."""
    if key == DEVICE_NAME:
        return FactType.TEXT
    family, dot, member = key.partition(".")
    return FAMILIES.get(family) if dot and member else FACT_TYPES.get(key)


def shown(value: FactValue | None) -> str:
    """A fact as people read it; unknown says so."""
    if value is None:
        return "unknown"
    if isinstance(value, tuple):
        return " ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
