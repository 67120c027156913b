"""Clocks of a discrete GPU through NVIDIA's management library: locked at the most, told, put back.

Two ways. Application clocks can be read, so what somebody had set comes back. Where a GPU has none (newer drivers give
them up), its clocks are locked in another way that nothing tells: there "as before" is the driver's default, and a GPU
that says that somebody has set its clocks is left alone. A Jetson's GPU is devfreq's business.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.device.clocks import gpu_folder
from agent.device.files import text_of
from agent.device.nvml import LIBRARY
from agent.device.nvml_gpu import NvmlGpu

_GRAPHICS, _MEMORY = 0, 2
_DONE, _NOT_SUPPORTED, _NO_PERMISSION, _NO_FUNCTION = 0, 3, 4, 13
_WHY = {
    _NOT_SUPPORTED: "this GPU's clocks cannot be set",
    _NO_PERMISSION: "NVML wants more rights than the helper has: run `sudo agent install` again",
}
_CAP_SYS_ADMIN = 1 << 21  # NVIDIA's driver takes whoever has it for the administrator, and nobody else

# PCI address, and application clocks of memory and graphics in MHz; 0 and 0: the driver's default, nothing was set.
GpuClocks = tuple[str, int, int]
_DEFAULT = (0, 0)


class GpuClocksRefused(Exception):
    """The GPU's clock cannot be locked; the text says why."""


class _PciInfo(ctypes.Structure):
    """nvmlPciInfo_t"""

    _fields_ = [
        ("legacy_address", ctypes.c_char * 16),
        ("numbers", ctypes.c_uint * 5),
        ("address", ctypes.c_char * 32),
    ]


def is_administrator(root: Path = Path("/")) -> bool:
    """Whether NVIDIA's driver lets this process set clocks."""
    lines = (text_of(root / "proc/self/status") or "").splitlines()
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) & _CAP_SYS_ADMIN)


class NvmlClocks:
    """Of the machine's one GPU. Where there are several, which one an agent works on is not known here."""

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        load: Callable[[str], Any] = ctypes.CDLL,
        may_set: Callable[[], bool] = is_administrator,
    ) -> None:
        self._root, self._load, self._may_set = root, load, may_set
        self._locked = ""  # the GPU that was locked in the way that nothing tells

    def state(self) -> bool | None:
        """Whether the GPU's clocks are locked at the most; None where there is none that could be."""
        if not self._may_set():
            return None
        with self._opened() as gpus:
            if len(gpus) != 1 or not (gpus[0].can_lock() or gpus[0].address() == self._locked):
                return None
            return gpus[0].is_at_most() or gpus[0].address() == self._locked

    def read(self) -> tuple[GpuClocks, ...]:
        """What is to be put back, of every GPU that may be touched."""
        with self._opened() as gpus:
            found = [gpu.clocks() for gpu in gpus]
            if len(gpus) == 1 and found[0] is None and gpus[0].can_lock():
                found = [(gpus[0].address(), *_DEFAULT)]
        return tuple(item for item in found if item is not None)

    def lock(self) -> bool:
        """Whether a GPU runs at its most now; False where there is none. Raises GpuClocksRefused."""
        with self._opened() as gpus:
            if not gpus:
                return False
            if len(gpus) > 1:
                raise GpuClocksRefused(f"there are {len(gpus)} GPUs, and which one is meant is not known here")
            if gpus[0].clocks() is not None:
                gpus[0].set_to_most()
            else:
                gpus[0].lock_at_most()
                self._locked = gpus[0].address()
        return True

    def restore(self, wanted: Sequence[GpuClocks]) -> list[str]:
        """The GPUs whose clocks could not be put back."""
        if not wanted:
            return []
        with self._opened() as gpus:
            known = {gpu.address(): gpu for gpu in gpus}
            left = [item[0] for item in wanted if item[0] not in known or not known[item[0]].put_back(item)]
        self._locked = self._locked if self._locked in left else ""
        return [f"clocks of GPU {address}" for address in left]

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

    def address(self) -> str:
        info = _PciInfo()
        return "" if self._call("nvmlDeviceGetPciInfo_v3", ctypes.byref(info)) else info.address.decode()

    def clocks(self) -> GpuClocks | None:
        """None where it has no application clocks, or does not tell."""
        memory, graphics = (self._mhz("nvmlDeviceGetApplicationsClock", kind) for kind in (_MEMORY, _GRAPHICS))
        address = self.address()
        return (address, memory, graphics) if address and memory and graphics else None

    def can_lock(self) -> bool:
        """In either way; what somebody else has set, and nothing tells, is not ours to lose."""
        if self._most() is None or not self.address():
            return False
        if self.clocks() is not None:
            return True
        now = NvmlGpu(self._library, self._handle).read()
        return hasattr(self._library, "nvmlDeviceSetGpuLockedClocks") and not (now is not None and now.clock.held)

    def is_at_most(self) -> bool:
        now = self.clocks()
        return now is not None and now[1:] == self._most()

    def set_to_most(self) -> None:
        """Application clocks. Raises GpuClocksRefused."""
        most = self._known_most()
        self._must("nvmlDeviceSetApplicationsClocks", *most)
        if not self.is_at_most():
            raise GpuClocksRefused("it was set, but did not stay")

    def lock_at_most(self) -> None:
        """The graphics clock, and the memory's where that can be. Raises GpuClocksRefused."""
        memory, graphics = self._known_most()
        if not self.can_lock():
            raise GpuClocksRefused("somebody has set this GPU's clocks, and nothing tells how they could be put back")
        self._must("nvmlDeviceSetGpuLockedClocks", graphics, graphics)
        self._call("nvmlDeviceSetMemoryLockedClocks", memory, memory)

    def put_back(self, wanted: GpuClocks) -> bool:
        """Who may not set them has not changed them either."""
        if wanted[1:] != _DEFAULT:
            return self.clocks() == wanted or not self._call("nvmlDeviceSetApplicationsClocks", *wanted[1:])
        self._call("nvmlDeviceResetMemoryLockedClocks")
        untouched = (_DONE, _NOT_SUPPORTED, _NO_PERMISSION, _NO_FUNCTION)
        return self._call("nvmlDeviceResetGpuLockedClocks") in untouched

    def _known_most(self) -> tuple[int, int]:
        most = self._most()
        if most is None:
            raise GpuClocksRefused(_WHY[_NOT_SUPPORTED])
        return most

    def _most(self) -> tuple[int, int] | None:
        memory, graphics = (self._mhz("nvmlDeviceGetMaxClockInfo", kind) for kind in (_MEMORY, _GRAPHICS))
        return (memory, graphics) if memory and graphics else None

    def _must(self, function: str, *arguments: int) -> None:
        if code := self._call(function, *arguments):
            raise GpuClocksRefused(_WHY.get(code, f"NVML refused it with code {code}"))

    def _mhz(self, function: str, kind: int) -> int | None:
        mhz = ctypes.c_uint()
        return None if self._call(function, kind, ctypes.byref(mhz)) else mhz.value

    def _call(self, function: str, *arguments: Any) -> int:
        """The library's answer; some of its versions lack a function."""
        try:
            return int(getattr(self._library, function)(self._handle, *arguments))
        except AttributeError:
            return _NO_FUNCTION


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
