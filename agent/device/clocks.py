"""The clocks of GPU and CPUs: their range, where they stand, and whether somebody has locked them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import entries, number_of, text_of

# A GPU by the name of its device-tree node; Thor's by its folder's.
_GPU_NODES = frozenset({"gv11b", "gp10b", "ga10b", "gb10b", "gpu"})
_GPU_FOLDERS = "gpu-gpc"


@dataclass(frozen=True)
class Clock:
    """Frequencies in Hz; `name` is the GPU's folder, or cpuN. None means unreadable."""

    name: str
    current_hz: int | None
    min_hz: int | None
    max_hz: int | None
    governor: str | None

    @property
    def locked(self) -> bool:
        """Whether there is only one frequency to run at: what jetson_clocks does, seen without being root."""
        return self.min_hz is not None and self.min_hz == self.max_hz


def gpu_folder(root: Path) -> Path | None:
    """The devfreq folder of a Jetson's GPU, whatever this release calls it."""
    for folder in entries(root / "sys/class/devfreq", "*"):
        node = text_of(folder / "device/of_node/name")
        if node in _GPU_NODES or folder.name.startswith(_GPU_FOLDERS):
            return folder
    return None


def read_gpu_clock(root: Path) -> Clock | None:
    folder = gpu_folder(root)
    if folder is None:
        return None
    ask = {key: number_of(folder / f"{key}_freq") for key in ("cur", "min", "max")}
    return Clock(folder.name, ask["cur"], ask["min"], ask["max"], text_of(folder / "governor"))


def read_cpu_clocks(root: Path) -> list[Clock]:
    """Of the CPUs that are online. The kernel speaks of kHz here."""
    found = []
    for folder in entries(root / "sys/devices/system/cpu", "cpu[0-9]*"):
        frequencies = folder / "cpufreq"
        if number_of(folder / "online") == 0 or not frequencies.is_dir():
            continue
        ask = {key: _hz(frequencies / f"scaling_{key}_freq") for key in ("cur", "min", "max")}
        found.append(Clock(folder.name, ask["cur"], ask["min"], ask["max"], text_of(frequencies / "scaling_governor")))
    return found


def offline_cpus(root: Path) -> list[str]:
    folders = entries(root / "sys/devices/system/cpu", "cpu[0-9]*")
    return [folder.name for folder in folders if number_of(folder / "online") == 0]


def all_locked(clocks: Sequence[Clock]) -> bool:
    return bool(clocks) and all(clock.locked for clock in clocks)


def _hz(path: Path) -> int | None:
    khz = number_of(path)
    return None if khz is None else khz * 1000
