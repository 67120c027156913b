"""Checks of NVIDIA's driver as this process sees it: device nodes, the container runtime, and libraries."""

import os
import stat
from pathlib import Path

from agent.device.container import has_nvidia_runtime
from agent.device.files import entries
from agent.device.libraries import find_library
from agent.doctor.board import NOT_A_JETSON
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip

RUN_NVIDIA = "start the container with `docker run --runtime nvidia` (not --gpus, which csv mode refuses)"
NO_GPU = "this machine has no NVIDIA GPU"
# Beside those in /dev/nvgpu: JetPack 5, and the driver that Thor shares with servers.
_GPUS = ("dev/nvhost-gpu", "dev/nvidia0")
CSV_DIR = "etc/nvidia-container-runtime/host-files-for-container.d"


def device_nodes(context: CheckContext) -> CheckResult:
    if context.kind == "cpu":
        return skip(NO_GPU)
    if context.kind == "gpu":
        return ok("/dev/nvidiactl")
    nodes = _nodes(context.root)
    missing = [what for what, found in nodes.items() if not found]
    if missing:
        fix = (
            RUN_NVIDIA
            if context.confined
            else "`sudo dmesg | grep -iE 'nvgpu|nvmap'` tells why the driver did not load"
        )
        return fail(f"no {' and no '.join(missing)}", why="CUDA cannot reach the GPU", fix=fix)
    closed = [str(node) for found in nodes.values() for node in found if _is_closed(node)]
    if closed:
        fix = f"sudo usermod -aG video,render {context.env.get('USER', 'THE_AGENTS_USER')}   # then log in again"
        return fail(f"{', '.join(closed)} may not be opened", why="this user is not in the nodes' groups", fix=fix)
    return ok(", ".join(f"/{node.relative_to(context.root)}" for found in nodes.values() for node in found[:2]))


def _nodes(root: Path) -> dict[str, list[Path]]:
    """The device nodes that CUDA opens, by what they are for."""
    folders = entries(root / "dev/nvgpu", "igpu0/*")
    gpu = [*folders, *(root / name for name in _GPUS if (root / name).exists())]
    return {"/dev/nvmap": [node for node in (root / "dev/nvmap",) if node.exists()], "node of the GPU": gpu}


def _is_closed(node: Path) -> bool:
    return stat.S_ISCHR(node.stat().st_mode) and not os.access(node, os.R_OK | os.W_OK)


def nvidia_runtime(context: CheckContext) -> CheckResult:
    if context.kind == "cpu":
        return skip(NO_GPU)
    if not context.confined:
        return ok("native, no container")
    if context.kind == "gpu":
        return ok(f"{context.container} with the driver's device nodes")
    if not has_nvidia_runtime(context.root, context.container):
        why = "the container lacks the driver's device nodes or libraries, which only the NVIDIA runtime brings"
        return fail(f"{context.container} without the NVIDIA runtime", why=why, fix=RUN_NVIDIA)
    return ok(f"{context.container} with the NVIDIA runtime")


def cuda_library(context: CheckContext) -> CheckResult:
    """The file; whether it loads and CUDA starts is the next check's."""
    if context.kind == "cpu":
        return skip(NO_GPU)
    library = find_library(context.root, "libcuda.so.1")
    if library is None:
        if context.kind == "gpu":
            return skip("not in a folder known here: the CUDA check will tell")
        fix = RUN_NVIDIA if context.confined else "sudo apt install --reinstall nvidia-l4t-cuda && sudo ldconfig"
        return fail("no libcuda.so.1", why="the driver's library is not there", fix=fix)
    shown = f"/{library.path.relative_to(context.root)}"
    if not library.size_bytes:
        why = "an empty placeholder: nothing was mounted over it (`file too short` is how it shows)"
        return fail(shown, why=why, fix=RUN_NVIDIA)
    return ok(shown)


def container_files(context: CheckContext) -> CheckResult:
    """What the host will hand to containers; natively on a Jetson with NVIDIA's container runtime."""
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    if context.confined:
        return skip("only the host can see it")
    lists = [path.name for path in entries(context.root / CSV_DIR, "*.csv")]
    if not lists:
        return skip("NVIDIA's container runtime is not installed here; a native agent needs none")
    return ok(f"{', '.join(lists)} in /{Path(CSV_DIR)}")
