"""NVIDIA's libraries as files: where they lie, whether they are whole, and which version they are."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.device.board import setting
from agent.device.files import entries, text_of
from agent.device.packages import version_of

DLA_COMPILER = "libnvdla_compiler.so"
DLA_COMPILER_PACKAGE = "nvidia-l4t-dla-compiler"
DLA_COMPILER_VARIABLE = "JETFLEET_DLA_COMPILER"
# L4T keeps its driver in a folder of its own: tegra up to JetPack 5, nvidia since.
_FOLDERS = (
    "usr/lib/aarch64-linux-gnu/nvidia",
    "usr/lib/aarch64-linux-gnu/tegra",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib64",
    "usr/local/nvidia/lib64",  # where clusters mount a server's driver
    "usr/local/cuda/lib64",
    "usr/local/cuda/targets/aarch64-linux/lib",
    "usr/local/cuda/targets/sbsa-linux/lib",
)
_CUDNN_PACKAGES = ("libcudnn9-cuda-13", "libcudnn9-cuda-12", "libcudnn8")
_CUDNN_HEADERS = ("usr/include/cudnn_version.h", "usr/include/aarch64-linux-gnu/cudnn_version.h")
_NUMBERED = re.compile(r"\.so\.(\d+(?:\.\d+)+)$")


@dataclass(frozen=True)
class Library:
    """A file; `size_bytes` of 0 is a placeholder that the NVIDIA runtime was to mount something over."""

    path: Path
    size_bytes: int


def find_library(root: Path, name: str) -> Library | None:
    """The first whole file of this name, else the first empty one."""
    found = [made for folder in _FOLDERS if (made := _library(root / folder / name))]
    return next((made for made in found if made.size_bytes), found[0] if found else None)


def cuda_version(root: Path) -> str | None:
    """Of the toolkit, which says so in a file; else of the CUDA runtime library."""
    try:
        said = json.loads(text_of(root / "usr/local/cuda/version.json") or "")
        return str(said["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        return _numbered(root, "libcudart.so.*")


def cudnn_version(root: Path) -> str | None:
    """Of the package with all its digits; else of the library's file name; else of the header."""
    package = version_of(root, *_CUDNN_PACKAGES)
    return (package.partition("-")[0] if package else None) or _numbered(root, "libcudnn.so.*") or _cudnn_header(root)


def dla_compiler_version(root: Path, env: Mapping[str, str]) -> str | None:
    """Of its package, where the library is there and whole; in a container, of the host's list or as it was told."""
    library = find_library(root, DLA_COMPILER)
    if library is None or not library.size_bytes:
        return None
    return version_of(root, DLA_COMPILER_PACKAGE) or setting(root, env, DLA_COMPILER_VARIABLE)


def _library(path: Path) -> Library | None:
    try:
        return Library(path, path.stat().st_size)
    except OSError:
        return None


def _numbered(root: Path, pattern: str) -> str | None:
    """The longest number behind .so of what matches: links carry the first digits of it only."""
    names = [path.name for folder in _FOLDERS for path in entries(root / folder, pattern)]
    numbers = [found.group(1) for name in names if (found := _NUMBERED.search(name))]
    return max(numbers, key=lambda number: number.count("."), default=None)


def _cudnn_header(root: Path) -> str | None:
    for name in _CUDNN_HEADERS:
        text = text_of(root / name) or ""
        found = [re.search(rf"#define CUDNN_{part}\s+(\d+)", text) for part in ("MAJOR", "MINOR", "PATCHLEVEL")]
        if all(found):
            return ".".join(match.group(1) for match in found if match)
    return None
