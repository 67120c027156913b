"""Takes out of an answer what points at a person or at one board: it is written to be sent to strangers."""

import re

from agent.device.board import TREES
from agent.device.files import text_of
from agent.doctor.check import CheckContext

_PATTERNS = (
    (re.compile(r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"), "[MAC]"),
    (re.compile(r"\b(?:GPU-|MIG-)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "[UUID]"),
    (re.compile(r"(/home|/Users)/[^/\s;,]+"), r"\1/[user]"),
    # Of private networks, as boards have them; 10.x.y.z would take TensorRT's versions out.
    (re.compile(r"\b(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b"), "[address]"),
)
_SHORTEST = 4  # a name of fewer letters would take words out that it is part of by chance
_GENERIC = frozenset({"localhost", "ubuntu", "nvidia", "jetson", "tegra", "root", "docker"})


def redact(text: str, context: CheckContext) -> str:
    """Without MAC and IP addresses, UUIDs, home folders, and this board's and user's own names and serial number."""
    for name in _names(context):
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", "[name]", text)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _names(context: CheckContext) -> list[str]:
    hostname = text_of(context.root / "proc/sys/kernel/hostname") or ""
    serials = [text_of(context.root / tree / "serial-number") or "" for tree in TREES.values()]
    user = [context.env.get(variable, "") for variable in ("USER", "LOGNAME", "SUDO_USER")]
    named = [name for name in (hostname, *user) if name.lower() not in _GENERIC]
    return [name for name in (*named, *serials) if len(name) >= _SHORTEST]
