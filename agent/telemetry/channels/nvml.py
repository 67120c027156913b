"""Channels of a discrete GPU, as far as NVIDIA's management library answers: the library's presence says nothing."""

import os
from collections.abc import Callable, Iterator, Sequence

from agent.device.nvml_gpu import NvmlGpu
from agent.telemetry.channels.channel import EVERY_S, SLOWLY_S, UNREADABLE, Absent, Channel, Sensor

_PROCESSES_EVERY_S = 0.5  # the driver takes a sample about six times a second, at most
_MHZ = 1e-6
BY_NVML = "the GPU's board, by NVML"

_Ask = Callable[[NvmlGpu], "float | None"]


def nvml(gpu: NvmlGpu | None, pci_address: str) -> Iterator[Sensor | Absent]:
    """The last of the sensors closes the library."""
    if gpu is None:
        yield Absent("GPU by NVML", f"no libnvidia-ml that serves {pci_address}")
        return
    power = _power(gpu)
    often = [*([power] if power else []), *_OFTEN.items()]
    seldom = list(_SELDOM.items())
    if power is None:
        yield Absent("power.gpu", "NVML answers that it does not know")
    for group in (often, seldom):
        answered = [(channel, ask) for channel, ask in group if ask(gpu) is not None]
        yield from (
            Absent(channel.name, f"{channel.source} does not answer")
            for channel, ask in group
            if (channel, ask) not in answered
        )
        if answered:
            yield _Asked(gpu, answered)
    yield Processes(gpu)


class _Asked:
    """Channels that the library answers, each by a call."""

    def __init__(self, gpu: NvmlGpu, answered: Sequence[tuple[Channel, _Ask]]) -> None:
        self._gpu = gpu
        self._asks = [ask for _, ask in answered]
        self.channels = tuple(channel for channel, _ in answered)

    def read(self) -> Sequence[float]:
        return [UNREADABLE if (value := ask(self._gpu)) is None else float(value) for ask in self._asks]

    def close(self) -> None:
        """Nothing of its own."""


class Processes:
    """How much other processes had of the GPU, in percent.

    The driver names processes as the machine does, a container by numbers of its own: where it does not name this one,
    the busiest is taken for it.
    """

    def __init__(self, gpu: NvmlGpu, *, own: int | None = None) -> None:
        self._gpu, self._own = gpu, own or os.getppid()
        self.channels = (
            Channel("load.others", "%", "nvmlDeviceGetProcessUtilization", _PROCESSES_EVERY_S),
            Channel("busy_processes", "count", "nvmlDeviceGetProcessUtilization", _PROCESSES_EVERY_S),
        )
        gpu.loads_of_processes()  # what was before does not count

    def read(self) -> Sequence[float]:
        loads = self._gpu.loads_of_processes()
        if loads is None:
            return [UNREADABLE, UNREADABLE]
        busy = {pid: load for pid, load in loads.items() if load}
        own = self._own if self._own in busy else max(busy, key=lambda pid: busy[pid], default=None)
        return [sum(load for pid, load in busy.items() if pid != own), len(busy)]

    def close(self) -> None:
        self._gpu.close()


def _power(gpu: NvmlGpu) -> tuple[Channel, _Ask] | None:
    """The power of now where it is told, else the driver's mean over a second, which hides what is shorter."""
    if gpu.power_now_w() is not None:
        source = "nvmlDeviceGetFieldValues(POWER_INSTANT)"
        return Channel("power.gpu", "W", source, covers=BY_NVML, conversion_s=EVERY_S), NvmlGpu.power_now_w
    if gpu.mean_power_w() is not None:
        source = "nvmlDeviceGetPowerUsage, a mean over one second"
        return Channel("power.gpu", "W", source, covers=BY_NVML, conversion_s=1.0), NvmlGpu.mean_power_w
    return None


_OFTEN: dict[Channel, _Ask] = {
    Channel("clock.gpu", "MHz", "nvmlDeviceGetClockInfo(GRAPHICS)"): lambda gpu: _mhz(gpu.clock_hz()),
    Channel("clock.memory", "MHz", "nvmlDeviceGetClockInfo(MEM)"): lambda gpu: _mhz(gpu.memory_clock_hz()),
    Channel("slowed.gpu", "bits", "nvmlDeviceGetCurrentClocksEventReasons"): NvmlGpu.slowed,
    Channel("load.gpu", "%", "nvmlDeviceGetUtilizationRates"): NvmlGpu.load_percent,
}
_SELDOM: dict[Channel, _Ask] = {
    Channel("temperature.gpu", "°C", "nvmlDeviceGetTemperature", SLOWLY_S): NvmlGpu.celsius,
    Channel(
        "energy.gpu", "J", "nvmlDeviceGetTotalEnergyConsumption", SLOWLY_S, counts=True, covers=BY_NVML
    ): NvmlGpu.energy_j,
}


def _mhz(hz: int | None) -> float | None:
    return None if hz is None else hz * _MHZ
