"""What /proc says of the CPU: its model and its ISA flags, on x86 and on Arm."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cpu:
    """None and empty mean unknown."""

    model: str | None
    isa: tuple[str, ...]


def read_cpu(root: Path) -> Cpu:
    """A model per kind of core, and the flags that all cores share: an engine may run on any of them."""
    try:
        text = (root / "proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return Cpu(None, ())
    cores = [fields for block in text.split("\n\n") if "processor" in (fields := _fields(block))]
    models = {model for fields in cores if (model := _model(fields))}
    flags = [set((fields.get("flags") or fields.get("Features") or "").split()) for fields in cores]
    shared = set.intersection(*flags) if flags else set()
    return Cpu("+".join(sorted(models)) or None, tuple(sorted(shared)))


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _model(fields: dict[str, str]) -> str | None:
    """x86 has a name; Arm has numbers that name the implementer and the part (0x41/0xd42 is a Cortex-A78AE)."""
    implementer, part = fields.get("CPU implementer"), fields.get("CPU part")
    if implementer and part:
        return f"{implementer}/{part}"
    return fields.get("model name") or None
