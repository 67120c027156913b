"""What makes a board a Jetson: module, L4T release, JetPack and power mode, from files that anybody may read.

Only what NVIDIA's own files say. The CUDA device name is not asked: it is "Orin" on every Orin.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import text_of, words_of

_MODULE = re.compile(r"p(?:2888|3668|3701|3767|3834)-\d{4}")
_RELEASE = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
_POWER_MODEL = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>")
# NVIDIA's module ids by product. p3701-0000 was sold with 32 and with 64 GB: its id alone does not say which.
_SKUS = {
    "p3834-0008": "thor-t5000",
    "p3834-0000": "thor-t4000",
    "p3701-0004": "agx-orin-32gb",
    "p3701-0005": "agx-orin-64gb",
    "p3767-0000": "orin-nx-16gb",
    "p3767-0001": "orin-nx-8gb",
    "p3767-0003": "orin-nano-8gb",
    "p3767-0004": "orin-nano-4gb",
    "p3767-0005": "orin-nano-8gb",
}
# L4T release to the JetPack that it came with. A release that is not listed stays unknown.
_JETPACKS = {
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.2": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "38.2.0": "7.0",
    "38.2.1": "7.0",
    "38.2.2": "7.0",
    "38.4.0": "7.1",
    "39.2.0": "7.2",
}


@dataclass(frozen=True)
class Jetson:
    """None means unknown, on a board that is no Jetson as on one that does not say."""

    module: str | None = None
    sku: str | None = None
    l4t: str | None = None
    jetpack: str | None = None
    power_mode: str | None = None


def read_jetson(root: Path) -> Jetson:
    module, l4t = _module(root), _l4t(root)
    return Jetson(
        module=module,
        sku=_SKUS.get(module or ""),
        l4t=l4t,
        jetpack=_JETPACKS.get(l4t or ""),
        power_mode=_power_mode(root),
    )


def _module(root: Path) -> str | None:
    """The module of `nvidia,p3768-0000+p3767-0005-super`: what follows the carrier board."""
    for word in words_of(root / "proc/device-tree/compatible"):
        if found := _MODULE.search(word):
            return found.group()
    return None


def _l4t(root: Path) -> str | None:
    found = _RELEASE.match(text_of(root / "etc/nv_tegra_release") or "")
    return f"{found.group(1)}.{found.group(2)}" if found else None


def _power_mode(root: Path) -> str | None:
    """The name of the mode in force. Ids mean different modes on different boards and releases, so names only."""
    status = re.search(r"pmode:(\d+)", text_of(root / "var/lib/nvpmodel/status") or "")
    names = dict(_POWER_MODEL.findall(text_of(root / "etc/nvpmodel.conf") or ""))
    return names.get(str(int(status.group(1)))) if status else None
