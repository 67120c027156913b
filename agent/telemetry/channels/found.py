"""What this machine tells of itself while something is measured: all sensors, and what is absent with its reason."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.device.clocks import gpu_folder
from agent.device.nvml_gpu import NvmlGpu
from agent.telemetry.channels import boards, linux
from agent.telemetry.channels.channel import Absent, Channel, Sensor
from agent.telemetry.channels.nvml import nvml

_EVERYWHERE = (
    boards.rails,
    boards.heat,
    boards.throttling,
    boards.clocks,
    boards.fan,
    linux.rapl,
    linux.cpu_times,
    linux.pressure,
    linux.memory,
)


@dataclass(frozen=True)
class FoundChannels:
    """Probes to be read, and what there is none of."""

    sensors: tuple[Sensor, ...]
    absent: tuple[Absent, ...]

    @property
    def channels(self) -> list[Channel]:
        return [channel for sensor in self.sensors for channel in sensor.channels]

    def close(self) -> None:
        for sensor in self.sensors:
            sensor.close()


def find_channels(
    root: Path = Path("/"),
    *,
    pci_address: str = "",
    open_nvml: Callable[[str], NvmlGpu | None] = NvmlGpu.open,
) -> FoundChannels:
    """Reads every channel once, and asks NVML of a discrete GPU alone: on a Jetson it answers nothing of use."""
    found = list(_found(root, pci_address, open_nvml))
    return FoundChannels(
        sensors=tuple(item for item in found if not isinstance(item, Absent)),
        absent=tuple(item for item in found if isinstance(item, Absent)),
    )


def _found(root: Path, pci_address: str, open_nvml: Callable[[str], NvmlGpu | None]) -> Iterator[Sensor | Absent]:
    for find in _EVERYWHERE:
        yield from find(root)
    if pci_address and gpu_folder(root) is None:
        yield from nvml(open_nvml(pci_address), pci_address)
