"""The device nodes that CUDA opens on a board, by name, and who may open a node.

By name, because a board has many more: those of debuggers and profilers (dbg, prof, ctxsw) belong to group debug and
those of the scheduler to root by L4T's udev rules, and CUDA does without them. Sources: those udev rules, and public
traces of cuInit on JetPack 6 (it opens the render node, and answers 801 without one).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import entries, is_there, text_of
from jetfleet.modules import THOR, Chip

# The GPU's nodes, a family for each driver: nvgpu (JetPack 6 and 7 on Orin), its older names (JetPack 5), and the
# driver that Thor shares with servers. The family that is there is the one that is used.
NVGPU = tuple(f"dev/nvgpu/igpu0/{name}" for name in ("as", "channel", "ctrl", "power", "tsg"))
NVHOST = ("dev/nvhost-as-gpu", "dev/nvhost-ctrl-gpu", "dev/nvhost-gpu", "dev/nvhost-tsg-gpu")
NVIDIA = ("dev/nvidia0", "dev/nvidiactl")
NVMAP = "dev/nvmap"
RENDER_NODE = "dev/dri/renderD128"


@dataclass(frozen=True)
class NodeOwner:
    """`mode` holds the permission bits."""

    uid: int
    gid: int
    mode: int

    @property
    def group_may(self) -> bool:
        """Whether the group may read, which is the least that CUDA needs."""
        return bool(self.mode & 0o040)


@dataclass(frozen=True)
class NodeList:
    """`present` are the nodes that CUDA opens and that are here. `missing`: without them it surely fails, in words.

    `doubtful`: it would be expected to open them, and they are not here.
    """

    present: tuple[Path, ...]
    missing: tuple[str, ...]
    doubtful: tuple[str, ...] = ()


def cuda_nodes(root: Path, *, chip: Chip | None, release: int | None) -> NodeList:
    """Of a Jetson; `release` is L4T's first number."""
    gpu, absent, servers = _gpu_nodes(root)
    shared = servers or chip is THOR  # a container hides the chip, and not whose nodes these are
    present = [*gpu]
    missing = [] if gpu else ["node of the GPU"]
    doubtful = [f"/{name}" for name in absent]
    if _may_be_there(root / NVMAP):
        present.append(root / NVMAP)
    elif not shared:
        missing.append(f"/{NVMAP}")
    if render := _render_node(root):
        present.append(render)
    elif not shared and release == 36:
        missing.append(f"/{RENDER_NODE}")
    elif not shared and release is not None and release > 36:
        doubtful.append(f"/{RENDER_NODE}")
    return NodeList(tuple(present), tuple(missing), tuple(doubtful))


def least_access(root: Path, node: Path) -> int:
    """How CUDA must be able to open a node. /dev/nvmap is group-readable only (0440) on some releases, and works."""
    return os.R_OK if node == root / NVMAP else os.R_OK | os.W_OK


def read_owner(path: Path) -> NodeOwner:
    """Of a node, or of what keeps this user from it: the first folder on the way that is closed."""
    found = closed_at(path).stat()
    return NodeOwner(found.st_uid, found.st_gid, found.st_mode & 0o777)


def closed_at(path: Path) -> Path:
    """The node itself, or the first folder on the way to it that this user may not enter."""
    return next((folder for folder in reversed(path.parents) if not os.access(folder, os.X_OK)), path)


def groups_of(root: Path) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Number -> name and members, of /etc/group."""
    found = {}
    for line in (text_of(root / "etc/group") or "").splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split(":")
        if len(fields) == 3 and fields[1].isdigit():
            found[int(fields[1])] = name, tuple(filter(None, fields[2].split(",")))
    return found


def _gpu_nodes(root: Path) -> tuple[list[Path], list[str], bool]:
    """Those of the family that has the most, its names that are not here, and whether it is the one of servers."""
    families = [[name for name in family if _may_be_there(root / name)] for family in (NVGPU, NVIDIA, NVHOST)]
    best = max(range(3), key=lambda index: len(families[index]))
    if not families[best]:
        return [], [], False
    family = (NVGPU, NVIDIA, NVHOST)[best]
    absent = [name for name in family if name not in families[best]]
    return [root / name for name in families[best]], absent, family is NVIDIA


def _render_node(root: Path) -> Path | None:
    """128 where it is there, for that is the one of the GPU's driver; else the first."""
    if _may_be_there(root / RENDER_NODE):
        return root / RENDER_NODE
    return next(iter(entries(root / "dev/dri", "renderD*")), None)


def _may_be_there(node: Path) -> bool:
    """A folder that is closed to this user is for what is in it: it is there, and may not be opened."""
    folder = closed_at(node)
    return is_there(folder) if folder != node else is_there(node)
