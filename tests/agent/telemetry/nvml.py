"""NVIDIA's management library as far as the agent asks it, with values of a test's choice."""

from collections.abc import Callable
from typing import Any

from agent.device.nvml_gpu import NvmlGpu

ADDRESS = "0000:01:00.0"
_NOT_SUPPORTED, _NOT_FOUND = 3, 6


class FakeNvml:
    """`old` has the reasons under their name of before; `gone` has no reasons at all; `supported` False refuses every
    question about values; `processes` are told once, with a time of their own."""

    def __init__(
        self,
        *,
        mhz: int = 1980,
        most: int = 1980,
        reasons: int = 0,
        power_mw: int = 80_000,
        energy_mj: int = 1_000_000,
        old: bool = False,
        gone: bool = False,
        instant: bool = True,
        supported: bool = True,
    ) -> None:
        self.closed, self.asked, self.processes = 0, list[bytes](), dict[int, int]()
        self._values = {"Clock": mhz, "Max": most, "Power": power_mw, "Energy": energy_mj, "Temperature": 47}
        self._reasons, self._instant, self._supported = reasons, instant, supported
        self._told_at = 0
        name = "nvmlDeviceGetCurrentClocksThrottleReasons" if old else "nvmlDeviceGetCurrentClocksEventReasons"
        if not gone:
            setattr(self, name, self._tell_reasons)

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlShutdown(self) -> int:
        self.closed += 1
        return 0

    def nvmlDeviceGetHandleByPciBusId_v2(self, address: bytes, handle: object) -> int:
        self.asked.append(address)
        return 0 if address == ADDRESS.encode() else _NOT_FOUND

    def nvmlDeviceGetClockInfo(self, handle: object, kind: int, value: Any) -> int:
        return self._put(value, "Clock")

    def nvmlDeviceGetMaxClockInfo(self, handle: object, kind: int, value: Any) -> int:
        return self._put(value, "Max")

    def nvmlDeviceGetPowerUsage(self, handle: object, value: Any) -> int:
        return self._put(value, "Power")

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object, value: Any) -> int:
        return self._put(value, "Energy")

    def nvmlDeviceGetTemperature(self, handle: object, kind: int, value: Any) -> int:
        return self._put(value, "Temperature")

    def nvmlDeviceGetFieldValues(self, handle: object, count: int, fields: Any) -> int:
        fields._obj.value = self._values["Power"]
        fields._obj.status = 0 if self._instant and self._supported else _NOT_SUPPORTED
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle: object, value: Any) -> int:
        value._obj.gpu = 0
        return 0 if self._supported else _NOT_SUPPORTED

    def nvmlDeviceGetProcessUtilization(self, handle: object, samples: Any, count: Any, since: Any) -> int:
        if not self._supported:
            return _NOT_SUPPORTED
        told, self.processes = self.processes, {}
        if not told:
            return _NOT_FOUND
        self._told_at = max(self._told_at, since.value) + 1
        for sample, (pid, load) in zip(samples, told.items(), strict=False):
            sample.pid, sample.sm, sample.timestamp_us = pid, load, self._told_at
        count._obj.value = len(told)
        return 0

    def _put(self, reference: Any, name: str) -> int:
        reference._obj.value = self._values[name]
        return 0 if self._supported else _NOT_SUPPORTED

    def _tell_reasons(self, handle: object, reference: Any) -> int:
        reference._obj.value = self._reasons
        return 0 if self._supported else _NOT_SUPPORTED


def opened(library: FakeNvml) -> Callable[[str], NvmlGpu | None]:
    return lambda address: NvmlGpu.open(address, load=lambda name: library)
