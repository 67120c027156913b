"""Application clocks of a discrete GPU through NVIDIA's management library: read, set to the most, put back.

Of its ways to hold a clock this is the one that tells what was set before. A Jetson's GPU is devfreq's business.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.device.clocks import gpu_folder
from agent.device.nvml import LIBRARY

_GRAPHICS, _MEMORY = 0, 2
_WHY = {3: "this GPU has no application clocks", 4: "NVML wants more rights than the helper has"}

# PCI address, and application clocks of memory and graphics in MHz.
GpuClocks = tuple[str, int, int]


class GpuClocksRefused(Exception):
    """The GPU's clock cannot be locked; the text says why."""


class _PciInfo(ctypes.Structure):
    """nvmlPciInfo_t"""

    _fields_ = [
        ("legacy_address", ctypes.c_char * 16),
        ("numbers", ctypes.c_uint * 5),
        ("address", ctypes.c_char * 32),
    ]


class ApplicationClocks:
    """Of the machine's one GPU. Where there are several, which one an agent works on is not known here."""

    def __init__(self, root: Path = Path("/"), *, load: Callable[[str], Any] = ctypes.CDLL) -> None:
        self._root, self._load = root, load

    def read(self) -> tuple[GpuClocks, ...]:
        with self._opened() as gpus:
            found = [gpu.clocks() for gpu in gpus]
        return tuple(item for item in found if item is not None)

    def lock(self) -> bool:
        """Whether a GPU runs at its most now; False where there is none. Raises GpuClocksRefused."""
        with self._opened() as gpus:
            if not gpus:
                return False
            if len(gpus) > 1:
                raise GpuClocksRefused(f"there are {len(gpus)} GPUs, and which one is meant is not known here")
            gpus[0].lock()
        return True

    def restore(self, wanted: Sequence[GpuClocks]) -> list[str]:
        """The GPUs whose clocks could not be put back."""
        if not wanted:
            return []
        with self._opened() as gpus:
            known = {now[0]: (gpu, now) for gpu in gpus if (now := gpu.clocks()) is not None}
            left = []
            for item in wanted:
                gpu, now = known.get(item[0], (None, None))
                if gpu is None or (now != item and not gpu.set(item[1], item[2])):
                    left.append(f"application clocks of GPU {item[0]}")
        return left

    @contextlib.contextmanager
    def _opened(self) -> Iterator[list["_Gpu"]]:
        """Every GPU; none where there is no library, it serves none, or this is a Jetson."""
        if gpu_folder(self._root) is not None:
            yield []
            return
        try:
            library = self._load(LIBRARY)
            failed = library.nvmlInit_v2()
        except (OSError, AttributeError):
            failed = True
        if failed:
            yield []
            return
        try:
            yield _gpus(library)
        finally:
            library.nvmlShutdown()


class _Gpu:
    def __init__(self, library: Any, handle: ctypes.c_void_p) -> None:
        self._library, self._handle = library, handle

    def clocks(self) -> GpuClocks | None:
        """None where it does not tell: it has none."""
        info = _PciInfo()
        if self._library.nvmlDeviceGetPciInfo_v3(self._handle, ctypes.byref(info)):
            return None
        memory, graphics = (self._mhz("nvmlDeviceGetApplicationsClock", kind) for kind in (_MEMORY, _GRAPHICS))
        if memory is None or graphics is None:
            return None
        return info.address.decode(), memory, graphics

    def lock(self) -> None:
        memory, graphics = (self._mhz("nvmlDeviceGetMaxClockInfo", kind) for kind in (_MEMORY, _GRAPHICS))
        if memory is None or graphics is None or self.clocks() is None:
            raise GpuClocksRefused(_WHY[3])
        code = int(self._library.nvmlDeviceSetApplicationsClocks(self._handle, memory, graphics))
        if code:
            raise GpuClocksRefused(_WHY.get(code, f"NVML refused it with code {code}"))
        now = self.clocks()
        if now is None or now[1:] != (memory, graphics):
            raise GpuClocksRefused("it was set, but did not stay")

    def set(self, memory_mhz: int, graphics_mhz: int) -> bool:
        return not self._library.nvmlDeviceSetApplicationsClocks(self._handle, memory_mhz, graphics_mhz)

    def _mhz(self, function: str, kind: int) -> int | None:
        mhz = ctypes.c_uint()
        failed = getattr(self._library, function)(self._handle, kind, ctypes.byref(mhz))
        return None if failed else mhz.value


def _gpus(library: Any) -> list[_Gpu]:
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return []
    found = []
    for index in range(count.value):
        handle = ctypes.c_void_p()
        if not library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
            found.append(_Gpu(library, handle))
    return found
