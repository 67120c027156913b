"""The CUDA runtime's last error: kept for each thread until somebody asks, and then taken for that call's own."""

import ctypes
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_NAME = "libcudart.so"


def clear_last_error(maps: Path = _MAPS) -> int:
    """Of this thread, in every CUDA runtime that the process has loaded; how many these are.

    A runtime that is linked into another library is out of reach.
    """
    try:
        lines = maps.read_text().splitlines()
    except OSError:
        return 0
    paths = {line.split(maxsplit=5)[5] for line in lines if _NAME in line}
    for path in sorted(paths):
        ctypes.cdll.LoadLibrary(path).cudaGetLastError()
    return len(paths)
