"""The clock of a discrete GPU and what slows it down, as NVIDIA's management library tells anybody. None is unknown."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.device.clocks import Clock
from agent.device.nvml import LIBRARY

_GRAPHICS = 0
_MHZ = 1_000_000
# Bits of nvmlClocksEventReasons, in nvml.h. Idle, and what somebody has set, slow nothing down.
_SET_BY_SOMEBODY = 0x2  # application clocks, or clocks locked by nvidia-smi
_SLOWED = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
_REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")


@dataclass(frozen=True)
class GpuState:
    """`slowed` is why the GPU runs slower than it would."""

    clock: Clock
    slowed: frozenset[str] = frozenset()


class NvmlClocks:
    """One GPU by its PCI address; the library stays open until `close`, so that a reading takes microseconds."""

    def __init__(self, library: Any, handle: ctypes.c_void_p) -> None:
        self._library, self._handle = library, handle

    @classmethod
    def open(cls, pci_address: str, *, load: Callable[[str], Any] = ctypes.CDLL) -> "NvmlClocks | None":
        """None where there is no library, or it does not serve this GPU: a Jetson's up to JetPack 6."""
        handle = ctypes.c_void_p()
        try:
            library = load(LIBRARY)
            if library.nvmlInit_v2():
                return None
            if library.nvmlDeviceGetHandleByPciBusId_v2(pci_address.encode(), ctypes.byref(handle)):
                library.nvmlShutdown()
                return None
        except (OSError, AttributeError):
            return None
        return cls(library, handle)

    def read(self) -> GpuState | None:
        current, most = (self._mhz(name) for name in ("nvmlDeviceGetClockInfo", "nvmlDeviceGetMaxClockInfo"))
        reasons = self._reasons()
        if current is None:
            return None
        held = None if reasons is None else bool(reasons & _SET_BY_SOMEBODY)
        slowed = frozenset(word for bit, word in _SLOWED.items() if (reasons or 0) & bit)
        return GpuState(Clock("gpu", current, None, most, None, held=held), slowed)

    def close(self) -> None:
        self._library.nvmlShutdown()

    def _mhz(self, function: str) -> int | None:
        """A clock in Hz."""
        mhz = ctypes.c_uint()
        try:
            failed = getattr(self._library, function)(self._handle, _GRAPHICS, ctypes.byref(mhz))
        except AttributeError:
            return None
        return None if failed else mhz.value * _MHZ

    def _reasons(self) -> int | None:
        """Its name of now, or of before driver 535."""
        reasons = ctypes.c_ulonglong()
        for function in _REASONS:
            try:
                failed = getattr(self._library, function)(self._handle, ctypes.byref(reasons))
            except AttributeError:
                continue
            return None if failed else reasons.value
        return None
