"""Which device nodes the agent's unit may open: those that CUDA and the DLA need on such a board, and no debugger's.

The lists are those of the release, not only what is there now: drivers are loaded late, and a unit is written once.
"""

import re
from pathlib import Path

from agent.device.files import entries
from agent.device.nodes import NVGPU, NVHOST, NVIDIA, NVMAP, RENDER_NODE
from jetfleet.modules import THOR, Chip

# The NVIDIA container toolkit gives a container the same (devices.csv); the DLA's control nodes are there with a DLA.
_DLA = ("dev/nvhost-ctrl-nvdla0", "dev/nvhost-ctrl-nvdla1")
_UVM = ("dev/nvidia-uvm", "dev/nvidia-uvm-tools")
_FENCE = "dev/host1x-fence"
# What else a driver of this board made. Names differ from release to release.
_PATTERNS = ("nvgpu/igpu0/*", "nvhost-*", "nvidia[0-9]*", "nvidiactl", "nvidia-uvm*", "dri/renderD*", "host1x-fence")
_NOT_OURS = re.compile(r"dbg|prof|ctxsw|sched")  # debuggers, profilers and the scheduler


def allowed_nodes(root: Path, *, chip: Chip | None, release: int | None) -> tuple[str, ...]:
    """Absolute paths, each once, in order."""
    expected = _expected(chip, release)
    found = [path for pattern in _PATTERNS for path in entries(root / "dev", pattern)]
    names = [f"{path.relative_to(root)}" for path in found if not _NOT_OURS.search(path.name)]
    if (root / NVMAP).exists():
        names.append(NVMAP)
    return tuple(sorted({f"/{name}" for name in (*expected, *names)}))


def _expected(chip: Chip | None, release: int | None) -> tuple[str, ...]:
    """Nothing of a board that is no Jetson, or of one that nobody knows: there, what is found counts."""
    if chip is None or release is None:
        return ()
    if chip is THOR:
        return (*NVIDIA, *_UVM, NVMAP, RENDER_NODE)
    if release < 36:
        return (*NVHOST, NVMAP, *_DLA)
    jetpack7 = (*NVIDIA, *_UVM) if release > 36 else ()
    return (*NVGPU, NVMAP, RENDER_NODE, _FENCE, *_DLA, *jetpack7)
