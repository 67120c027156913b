"""A discrete GPU as NVIDIA's management library tells anybody: clocks, power, heat, load and users. None is unknown.

Every function may be missing (an old driver) or refuse (NotSupported: JetPack 7.2's library on Orin answers nothing but
its name): each value is asked for by itself.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.device.clocks import Clock
from agent.device.nvml import LIBRARY

_GRAPHICS, _MEMORY = 0, 2
_MHZ = 1_000_000
_TEMPERATURE_OF_GPU = 0
_POWER_INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT; nvmlDeviceGetPowerUsage is a mean over a second since Ampere
_MOST_PROCESSES = 128
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


class _FieldValue(ctypes.Structure):
    """nvmlFieldValue_t, with the member of its union that the field of power has."""

    _fields_ = [
        ("field", ctypes.c_uint),
        ("scope", ctypes.c_uint),
        ("timestamp", ctypes.c_longlong),
        ("latency_us", ctypes.c_longlong),
        ("type", ctypes.c_int),
        ("status", ctypes.c_int),
        ("value", ctypes.c_uint),
        ("padding", ctypes.c_uint),
    ]


class _Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _ProcessSample(ctypes.Structure):
    """nvmlProcessUtilizationSample_t: shares in percent."""

    _fields_ = [
        ("pid", ctypes.c_uint),
        ("timestamp_us", ctypes.c_ulonglong),
        ("sm", ctypes.c_uint),
        ("memory", ctypes.c_uint),
        ("encoder", ctypes.c_uint),
        ("decoder", ctypes.c_uint),
    ]


class NvmlGpu:
    """One GPU by its PCI address; the library stays open until `close`, so that a reading takes microseconds."""

    def __init__(self, library: Any, handle: ctypes.c_void_p) -> None:
        self._library, self._handle = library, handle
        self._seen_us = 0

    @classmethod
    def open(cls, pci_address: str, *, load: Callable[[str], Any] = ctypes.CDLL) -> "NvmlGpu | None":
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
        current, most = self.clock_hz(), self._mhz("nvmlDeviceGetMaxClockInfo", _GRAPHICS)
        reasons = self._reasons()
        if current is None:
            return None
        held = None if reasons is None else bool(reasons & _SET_BY_SOMEBODY)
        slowed = frozenset(self.words_of(reasons or 0))
        return GpuState(Clock("gpu", current, None, most, None, held=held), slowed)

    def close(self) -> None:
        self._library.nvmlShutdown()

    def clock_hz(self) -> int | None:
        return self._mhz("nvmlDeviceGetClockInfo", _GRAPHICS)

    def memory_clock_hz(self) -> int | None:
        return self._mhz("nvmlDeviceGetClockInfo", _MEMORY)

    def slowed(self) -> int | None:
        """Bits for `words_of`; 0 where nothing slows it down."""
        reasons = self._reasons()
        return None if reasons is None else reasons & sum(_SLOWED)

    @staticmethod
    def words_of(reasons: int) -> list[str]:
        return [word for bit, word in _SLOWED.items() if reasons & bit]

    def power_now_w(self) -> float | None:
        field = _FieldValue(field=_POWER_INSTANT)
        failed = self._call("nvmlDeviceGetFieldValues", 1, ctypes.byref(field))
        return None if failed or field.status or not field.value else field.value / 1000

    def mean_power_w(self) -> float | None:
        """Over the last second since Ampere, else of now."""
        milliwatts = self._number("nvmlDeviceGetPowerUsage", ctypes.c_uint())
        return None if milliwatts is None else milliwatts / 1000

    def energy_j(self) -> float | None:
        """Since the driver was loaded; the counter moves about ten times a second."""
        millijoules = self._number("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong())
        return None if millijoules is None else millijoules / 1000

    def celsius(self) -> int | None:
        found = ctypes.c_uint()
        failed = self._call("nvmlDeviceGetTemperature", _TEMPERATURE_OF_GPU, ctypes.byref(found))
        return None if failed else found.value

    def load_percent(self) -> int | None:
        """Share of the last sixth of a second or more in which something ran on it."""
        found = _Utilization()
        return None if self._call("nvmlDeviceGetUtilizationRates", ctypes.byref(found)) else int(found.gpu)

    def loads_of_processes(self) -> dict[int, int] | None:
        """The most that each process had of the GPU since this was last asked, in percent, by its id in the machine's
        own name space; None where the driver does not tell."""
        samples, count = (_ProcessSample * _MOST_PROCESSES)(), ctypes.c_uint(_MOST_PROCESSES)
        failed = self._call(
            "nvmlDeviceGetProcessUtilization", samples, ctypes.byref(count), ctypes.c_ulonglong(self._seen_us)
        )
        if failed == _NOT_FOUND:  # nothing new
            return {}
        if failed:
            return None
        found: dict[int, int] = {}
        for sample in samples[: count.value]:
            if sample.timestamp_us > self._seen_us:
                found[sample.pid] = max(found.get(sample.pid, 0), min(int(sample.sm), 100))
        self._seen_us = max([self._seen_us, *(sample.timestamp_us for sample in samples[: count.value])])
        return found

    def _mhz(self, function: str, which: int) -> int | None:
        """A clock in Hz."""
        mhz = ctypes.c_uint()
        return None if self._call(function, which, ctypes.byref(mhz)) else mhz.value * _MHZ

    def _number(self, function: str, found: "ctypes.c_uint | ctypes.c_ulonglong") -> int | None:
        return None if self._call(function, ctypes.byref(found)) else int(found.value)

    def _reasons(self) -> int | None:
        """Its name of now, or of before driver 535."""
        reasons = ctypes.c_ulonglong()
        failed = self._call(_REASONS[0], ctypes.byref(reasons))
        if failed == _NO_FUNCTION:
            failed = self._call(_REASONS[1], ctypes.byref(reasons))
        return None if failed else int(reasons.value)

    def _call(self, function: str, *arguments: Any) -> int:
        """The library's answer, 0 where it was able."""
        try:
            return int(getattr(self._library, function)(self._handle, *arguments))
        except AttributeError:
            return _NO_FUNCTION


_NOT_FOUND = 6  # NVML_ERROR_NOT_FOUND
_NO_FUNCTION = 13  # NVML_ERROR_FUNCTION_NOT_FOUND
