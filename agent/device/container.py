"""Whether this process is confined, by what, and whether the NVIDIA runtime gave the container the driver's files."""

from collections.abc import Mapping
from pathlib import Path

from agent.device.files import is_there, text_of
from agent.device.libraries import find_library

# Device nodes without which nothing runs on a GPU: Tegra's memory, or the discrete driver's control.
_NODES = ("dev/nvmap", "dev/nvidiactl")


def read_container(root: Path, env: Mapping[str, str]) -> str | None:
    """The engine that this process is confined by; none only where there is a system to look at."""
    if is_there(root / "run/.containerenv"):
        return "podman"
    if is_there(root / ".dockerenv"):
        return "docker"
    setting = text_of(root / "run/systemd/container") or env.get("container")
    if setting:
        return setting
    return "none" if is_there(root / "proc/self") or is_there(root / "proc/cpuinfo") else None


def has_nvidia_runtime(root: Path, container: str | None) -> bool | None:
    """None outside of a container. The runtime mounts the driver over what the image left empty, and adds its nodes."""
    if container in (None, "none"):
        return None
    mounted = "/libcuda.so" in (text_of(root / "proc/self/mountinfo") or "")
    library = find_library(root, "libcuda.so.1")
    whole = library is not None and library.size_bytes > 0
    return any(is_there(root / node) for node in _NODES) and (mounted or whole)
