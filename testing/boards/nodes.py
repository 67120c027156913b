"""The device nodes of a constructed board, who owns them by L4T's udev rules, and a user who is not root."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agent.device.nodes import NodeOwner
from testing.boards.documented import BoardSpec, JetpackSpec

GROUPS = {"root": 0, "video": 44, "render": 104, "debug": 995}
_IGPU = ("as", "channel", "ctrl", "ctxsw", "dbg", "nvsched", "power", "prof", "prof-ctx", "prof-dev", "sched", "tsg")
_NVHOST = ("as", "ctrl", "ctxsw", "dbg", "prof", "sched", "tsg")
# The first that matches a node's path under /dev.
_OWNERS = {
    r"nvgpu/igpu0/(dbg|prof.*|ctxsw)": ("debug", 0o660),
    r"nvhost-(dbg|prof|ctxsw)-gpu": ("debug", 0o660),
    r"nvgpu/igpu0/(nv)?sched|nvhost-sched-gpu": ("root", 0o660),
    r"dri/renderD.*": ("render", 0o660),
    r"nvmap": ("video", 0o440),
    r"nvidia.*": ("root", 0o666),
    r".*": ("video", 0o660),
}


def device_nodes(spec: BoardSpec, software: JetpackSpec) -> dict[str, str | bytes | None]:
    """As plain files: constructed nodes cannot be character devices."""
    if spec.soc == "tegra264":
        names = ["nvmap", "nvidia0", "nvidiactl", "nvidia-uvm"]
    elif software.l4t.startswith("35"):
        names = ["nvmap", "nvhost-gpu", *(f"nvhost-{name}-gpu" for name in _NVHOST)]
    else:
        names = ["nvmap", "dri/renderD128", "host1x-fence", *(f"nvgpu/igpu0/{name}" for name in _IGPU)]
    return {f"dev/{name}": b"" for name in names}


@dataclass(frozen=True)
class OrdinaryUser:
    """Not root; `groups` by number. `owners` are nodes that somebody made otherwise: path under /dev -> group, mode."""

    root: Path
    groups: frozenset[int]
    owners: dict[str, tuple[str, int]] = field(default_factory=dict)

    def owner_of(self, path: Path) -> NodeOwner:
        name = str(path.relative_to(self.root / "dev"))
        rules = {**{re.escape(key): value for key, value in self.owners.items()}, **_OWNERS}
        group, mode = next(value for pattern, value in rules.items() if re.fullmatch(pattern, name))
        return NodeOwner(0, GROUPS[group], mode)

    def may_access(self, path: Path, access: int) -> bool:
        owner = self.owner_of(path)
        bits = (owner.mode >> 3 if owner.gid in self.groups else owner.mode) & 0o7
        wanted = (4 if access & os.R_OK else 0) | (2 if access & os.W_OK else 0)
        return bits & wanted == wanted


def user_in(root: Path, groups: Iterable[str], **owners: tuple[str, int]) -> OrdinaryUser:
    return OrdinaryUser(root, frozenset(GROUPS[name] for name in groups), owners)
