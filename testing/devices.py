"""Facts of documented boards and of a plain CPU, and devices that have them: nothing here ran on a board."""

from typing import Any

from controller.model.facts import Facts
from controller.model.task import Device

CPU: Facts = {
    "arch": "x86_64",
    "cpu_model": "Xeon",
    "cpu_isa": ("avx2", "avx512f"),
    "runtime.onnxruntime": "1.23.2",
}
ORIN_NX: Facts = {
    "arch": "aarch64",
    "module": "p3767-0000",
    "sku": "orin-nx-16gb",
    "cpu_model": "Cortex-A78AE",
    "cpu_isa": ("asimd", "fp"),
    "gpu": "Orin",
    "compute_capability": "8.7",
    "sm_count": 8,
    "l4t": "36.4.3",
    "jetpack": "6.2",
    "dla_cores": 2,
    "dla_compiler": "3.14.1",
    "cuda": "12.6",
    "runtime.tensorrt": "10.3.0",
}
AGX_ORIN: Facts = {
    "arch": "aarch64",
    "module": "p3701-0005",
    "l4t": "36.4.3",
    "gpu": "Orin",
    "compute_capability": "8.7",
    "sm_count": 16,
    "dla_cores": 2,
    "dla_compiler": "3.14.1",
    "runtime.tensorrt": "10.3.0",
}


def device(name: str = "box", /, *, domain: str = "", drop: tuple[str, ...] = (), **changes: Any) -> Device:
    """A CPU device called and identified by `name`; facts with a dot are spelled with two underscores."""
    return _device(CPU, name, domain=domain, drop=drop, **changes)


def orin(name: str = "orin", /, *, drop: tuple[str, ...] = (), **changes: Any) -> Device:
    """An Orin NX, changed like a CPU device."""
    return _device(ORIN_NX, name, domain="", drop=drop, **changes)


def _device(
    facts: Facts,
    name: str,
    /,
    *,
    domain: str,
    drop: tuple[str, ...],
    online: bool = True,
    cordoned: str = "",
    **changes: Any,
) -> Device:
    merged = {**facts, **{key.replace("__", "."): value for key, value in changes.items()}}
    kept = {key: value for key, value in merged.items() if key not in drop}
    return Device(name, name, kept, bench_domain=domain or f"domain-of-{name}", online=online, cordoned=cordoned)
