"""Which software a Jetson runs: its L4T release, and whether this agent works there."""

import re
from pathlib import Path

from agent.device.files import own_or_host
from agent.device.packages import version_of
from jetfleet.modules import XAVIER, Chip

_RELEASE = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")


def read_l4t(root: Path) -> str | None:
    """From /etc/nv_tegra_release, which the NVIDIA runtime also brings into containers; else from the core package."""
    found = _RELEASE.match(own_or_host(root, "etc/nv_tegra_release") or "")
    if found:
        return f"{found.group(1)}.{found.group(2)}"
    package = version_of(root, "nvidia-l4t-core")
    return package.partition("-")[0] if package else None


def major(l4t: str | None) -> int | None:
    """35 is JetPack 5, 36 is 6, 38 and 39 are 7."""
    head = (l4t or "").partition(".")[0]
    return int(head) if head.isdigit() else None


def refusal(l4t: str | None, chip: Chip | None) -> tuple[str, str] | None:
    """Why this agent does not work with a release, and the way out; None where it does, or nobody knows."""
    release = major(l4t)
    if release is None or release >= 36:
        return None
    if release < 35:
        return f"L4T {l4t} is older than JetPack 5", "install JetPack 6 or 7, where the board has one"
    why = "unsupported: its TensorRT needs Python 3.8, and this agent 3.10"
    if chip is XAVIER:
        return why, "JetPack 5 is the last one for Xavier: it stays without this agent"
    return why, "Orin boards can upgrade to JetPack 6: flash the board with it"
