"""Checks of NVIDIA's driver as this process sees it: device nodes, the container runtime, and libraries."""

import os
import stat
from pathlib import Path

from agent.device.container import has_nvidia_runtime
from agent.device.files import entries, text_of
from agent.device.libraries import DLA_COMPILER, DLA_COMPILER_PACKAGE, dla_compiler_version, find_library
from agent.doctor.board import NO_JETSON
from agent.doctor.check import Check, Place, fail, ok, skip, warn

RUN_NVIDIA = "start the container with `docker run --runtime nvidia` (not --gpus, which csv mode refuses)"
NO_GPU = "this machine has no NVIDIA GPU"
# Beside those in /dev/nvgpu: JetPack 5, and the driver that Thor shares with servers.
_GPUS = ("dev/nvhost-gpu", "dev/nvidia0")
_CSV_DIR = "etc/nvidia-container-runtime/host-files-for-container.d"


def device_nodes(place: Place) -> Check:
    if place.kind == "cpu":
        return skip(NO_GPU)
    if place.kind == "gpu":
        return ok("/dev/nvidiactl")
    nodes = _nodes(place.root)
    missing = [what for what, found in nodes.items() if not found]
    if missing:
        fix = (
            RUN_NVIDIA if place.confined else "`sudo dmesg | grep -iE 'nvgpu|nvmap'` tells why the driver did not load"
        )
        return fail(f"no {' and no '.join(missing)}", why="CUDA cannot reach the GPU", fix=fix)
    closed = [str(node) for found in nodes.values() for node in found if _is_closed(node)]
    if closed:
        fix = f"sudo usermod -aG video,render {place.env.get('USER', 'THE_AGENTS_USER')}   # then log in again"
        return fail(f"{', '.join(closed)} may not be opened", why="this user is not in the nodes' groups", fix=fix)
    return ok(", ".join(f"/{node.relative_to(place.root)}" for found in nodes.values() for node in found[:2]))


def _nodes(root: Path) -> dict[str, list[Path]]:
    """The device nodes that CUDA opens, by what they are for."""
    folders = entries(root / "dev/nvgpu", "igpu0/*")
    gpu = [*folders, *(root / name for name in _GPUS if (root / name).exists())]
    return {"/dev/nvmap": [node for node in (root / "dev/nvmap",) if node.exists()], "node of the GPU": gpu}


def _is_closed(node: Path) -> bool:
    return stat.S_ISCHR(node.stat().st_mode) and not os.access(node, os.R_OK | os.W_OK)


def nvidia_runtime(place: Place) -> Check:
    if place.kind == "cpu":
        return skip(NO_GPU)
    if not place.confined:
        return ok("native, no container")
    if not has_nvidia_runtime(place.root, place.container):
        why = "the container lacks the driver's device nodes or libraries, which only the NVIDIA runtime brings"
        return fail(f"{place.container} without the NVIDIA runtime", why=why, fix=RUN_NVIDIA)
    return ok(f"{place.container} with the NVIDIA runtime")


def cuda_library(place: Place) -> Check:
    """The file; whether it loads and CUDA starts is the next check's."""
    if place.kind == "cpu":
        return skip(NO_GPU)
    library = find_library(place.root, "libcuda.so.1")
    if library is None:
        if place.kind == "gpu":
            return skip("not in a folder known here: the CUDA check will tell")
        fix = RUN_NVIDIA if place.confined else "sudo apt install --reinstall nvidia-l4t-cuda && sudo ldconfig"
        return fail("no libcuda.so.1", why="the driver's library is not there", fix=fix)
    shown = f"/{library.path.relative_to(place.root)}"
    if not library.size_bytes:
        why = "an empty placeholder: nothing was mounted over it (`file too short` is how it shows)"
        return fail(shown, why=why, fix=RUN_NVIDIA)
    return ok(shown)


def dla_compiler(place: Place) -> Check:
    """TensorRT links to it up to JetPack 6, on boards without a DLA too: where it is missing, nothing imports."""
    if place.kind != "jetson":
        return skip(NO_JETSON)
    if place.release is None:
        return skip("the release is unknown, and with it whether its TensorRT needs one")
    library, needed = find_library(place.root, DLA_COMPILER), place.release <= 36
    if library is not None and library.size_bytes:
        return _versioned(place)
    if not needed:
        return _removed(place)
    why = f"TensorRT of JetPack {place.release - 30} does not import without it, not even on a board with no DLA"
    if library is not None:
        fix = RUN_NVIDIA if place.confined else f"sudo apt install --reinstall {DLA_COMPILER_PACKAGE}"
        return fail(f"{DLA_COMPILER} is an empty placeholder", why=why, fix=fix)
    fix = f"sudo apt install {DLA_COMPILER_PACKAGE}" + (" on the host" if place.confined else "")
    hint = "; L4T 36.4.2 was released without it" if place.l4t == "36.4.2" else ""
    return fail(f"no {DLA_COMPILER}", why=why + hint, fix=fix)


def _versioned(place: Place) -> Check:
    version = dla_compiler_version(place.root, place.env)
    known = place.board.known
    if version is None and known is not None and known.dla_cores:
        why = "its version is unknown, so no engine for a DLA can be shared with another board"
        fix = (
            "add `-v /var/lib/dpkg/status:/host/var/lib/dpkg/status:ro` to docker run"
            if place.confined
            else (f"sudo apt install --reinstall {DLA_COMPILER_PACKAGE}")
        )
        return warn(f"{DLA_COMPILER}, unknown version", why=why, fix=fix)
    return ok(version or f"{DLA_COMPILER}, unknown version")


def _removed(place: Place) -> Check:
    """From JetPack 7 on TensorRT does without; L4T 39.2 still names the file in drivers.csv, which is not there."""
    named = any(DLA_COMPILER in (text_of(path) or "") for path in entries(place.root / _CSV_DIR, "*.csv"))
    if named:
        return ok(f"none, and drivers.csv still names it: images whose TensorRT wants {DLA_COMPILER} fail here")
    return ok("none, and this release's TensorRT does without")


def container_files(place: Place) -> Check:
    """What the host will hand to containers; natively on a Jetson with NVIDIA's container runtime."""
    if place.kind != "jetson":
        return skip(NO_JETSON)
    if place.confined:
        return skip("only the host can see it")
    lists = [path.name for path in entries(place.root / _CSV_DIR, "*.csv")]
    if not lists:
        return skip("NVIDIA's container runtime is not installed here; a native agent needs none")
    return ok(f"{', '.join(lists)} in /{Path(_CSV_DIR)}")
