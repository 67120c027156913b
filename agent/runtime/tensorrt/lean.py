"""The lean runtime, which a version-compatible plan carries within it: asked for before a build that would fail."""

import ctypes
from pathlib import Path

from jetfleet.errors import BadInput

_MAPS = Path("/proc/self/maps")
_BUILDER = "libnvinfer.so"


def refuse_without_lean(version: tuple[int, ...], *, maps: Path = _MAPS) -> None:
    """Raises BadInput with the package that brings it. A plan without it (EXCLUDE_LEAN_RUNTIME) would be one that no
    other version loads, which is what the option is for."""
    major = version[0]
    library = f"libnvinfer_lean.so.{major}"
    if any((folder / library).exists() for folder in _beside_tensorrt(maps)) or _loads(library):
        return
    raise BadInput(
        f"a version-compatible engine carries TensorRT's lean runtime, and there is no {library} here",
        where="options.version_compatible",
        expected=f"the apt package libnvinfer-lean{major}, as old as TensorRT",
        hint=f"sudo apt-get install libnvinfer-lean{major}, or version_compatible: off",
    )


def _beside_tensorrt(maps: Path) -> set[Path]:
    """The folders that this process has TensorRT from."""
    try:
        lines = maps.read_text().splitlines()
    except OSError:
        return set()
    return {Path(line.split(maxsplit=5)[5]).parent for line in lines if _BUILDER in line}


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
