"""The clocks of GPU, CPUs and memory: their range, where they stand, and whether somebody has locked them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import entries, number_of, text_of

# A GPU by the name of its device-tree node or by its folder's, ADDRESS.NODE: the node lies below /sys/firmware, which
# Docker masks. Thor's by its folder's alone.
_GPU_NODES = frozenset({"gv11b", "gp10b", "ga10b", "gb10b", "gpu"})
_GPU_FOLDERS = "gpu-gpc"
_EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
_EMC_CAPS = ("nvpmodel_emc_cap", "nvpmodel_clk_cap")


@dataclass(frozen=True)
class Clock:
    """Frequencies in Hz; `name` is the GPU's folder, policyN, cpuN or emc. None means unreadable.

    `held`: whether somebody holds it where it is, for a clock that says so itself.
    """

    name: str
    current_hz: int | None
    min_hz: int | None
    max_hz: int | None
    governor: str | None
    held: bool | None = None

    @property
    def locked(self) -> bool:
        """Whether there is only one frequency to run at: what jetson_clocks does, seen without being root."""
        if self.held is not None:
            return self.held
        return self.min_hz is not None and self.min_hz == self.max_hz


def gpu_folder(root: Path) -> Path | None:
    """The devfreq folder of a Jetson's GPU, whatever this release calls it."""
    for folder in entries(root / "sys/class/devfreq", "*"):
        nodes = {text_of(folder / "device/of_node/name"), folder.name.partition(".")[2]}
        if nodes & _GPU_NODES or folder.name.startswith(_GPU_FOLDERS):
            return folder
    return None


def read_gpu_clock(root: Path) -> Clock | None:
    folder = gpu_folder(root)
    if folder is None:
        return None
    return _devfreq(folder)


def read_cpu_clocks(root: Path) -> list[Clock]:
    """Of the CPUs that are online. The kernel speaks of kHz here."""
    return [_cpufreq(name, folder) for name, folder in _cpu_folders(root).items()]


def read_cpu_policies(root: Path) -> list[Clock]:
    """One clock for each group of CPUs that share one; where the kernel does not tell the groups, one for each CPU."""
    return [_cpufreq(name, folder) for name, folder in _policy_folders(root).items()]


def cpu_clock_files(root: Path) -> dict[str, Path]:
    """Where the clock of each group stands, by the group's name."""
    return {name: folder / "scaling_cur_freq" for name, folder in _policy_folders(root).items()}


def _policy_folders(root: Path) -> dict[str, Path]:
    folders = entries(root / "sys/devices/system/cpu/cpufreq", "policy[0-9]*")
    online = {folder.name: folder for folder in folders if text_of(folder / "affected_cpus") is not None}
    return online or _cpu_folders(root)


def _cpu_folders(root: Path) -> dict[str, Path]:
    folders = entries(root / "sys/devices/system/cpu", "cpu[0-9]*")
    online = [folder for folder in folders if number_of(folder / "online") != 0]
    return {folder.name: folder / "cpufreq" for folder in online if (folder / "cpufreq").is_dir()}


def emc_clock_file(root: Path) -> Path | None:
    """Where the memory's clock stands; None where this user may not read it."""
    devfreq = [folder / "cur_freq" for folder in _emc_devfreq(root)]
    return next((path for path in (*devfreq, root / _EMC / "rate") if number_of(path) is not None), None)


def _emc_devfreq(root: Path) -> list[Path]:
    return entries(root / "sys/class/devfreq", "*bwmgr*")


def read_emc_clock(root: Path) -> Clock | None:
    """The memory's clock: Thor's devfreq, which all may read, or the firmware's folder, which only root may."""
    for folder in _emc_devfreq(root):
        return _devfreq(folder, name="emc")
    folder = root / _EMC
    rate = number_of(folder / "rate")
    if rate is None:
        return None
    held = number_of(folder / "mrq_rate_locked")
    if held is None:  # its range is the hardware's, and says nothing of a lock
        return Clock("emc", rate, None, None, None)
    return Clock("emc", rate, number_of(folder / "min_rate"), number_of(folder / "max_rate"), None, held=bool(held))


def emc_cap_hz(root: Path) -> int | None:
    """What the power mode allows the memory's clock at most, where it tells."""
    for name in _EMC_CAPS:
        folder = root / "sys/kernel" / name
        for path in (folder, *entries(folder, "emc*")):
            if cap := number_of(path):
                return cap
    return None


def offline_cpus(root: Path) -> list[str]:
    folders = entries(root / "sys/devices/system/cpu", "cpu[0-9]*")
    return [folder.name for folder in folders if number_of(folder / "online") == 0]


def all_locked(clocks: Sequence[Clock]) -> bool:
    return bool(clocks) and all(clock.locked for clock in clocks)


def _devfreq(folder: Path, *, name: str = "") -> Clock:
    ask = {key: number_of(folder / f"{key}_freq") for key in ("cur", "min", "max")}
    return Clock(name or folder.name, ask["cur"], ask["min"], ask["max"], text_of(folder / "governor"))


def _cpufreq(name: str, folder: Path) -> Clock:
    ask = {key: _hz(folder / f"scaling_{key}_freq") for key in ("cur", "min", "max")}
    return Clock(name, ask["cur"], ask["min"], ask["max"], text_of(folder / "scaling_governor"))


def _hz(path: Path) -> int | None:
    khz = number_of(path)
    return None if khz is None else khz * 1000
