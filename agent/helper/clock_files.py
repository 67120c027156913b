"""In which files a board's clocks are set: ranges of cpufreq and devfreq, and the switch of an Orin's memory clock."""

from dataclasses import dataclass
from pathlib import Path

from agent.device.clocks import emc_cap_hz, gpu_folder
from agent.device.files import entries, number_of, text_of
from agent.device.nvpmodel import PowerModes
from jetfleet.board_settings import CPU, EMC, GPU

KINDS = (CPU, GPU, EMC)
_CPUS = "sys/devices/system/cpu"
_EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
EMC_RATE, EMC_LOCK = f"{_EMC}/rate", f"{_EMC}/mrq_rate_locked"


@dataclass(frozen=True)
class ClockRange:
    """A clock that runs between two bounds; `low` and `high` are files, as paths from the root."""

    kind: str
    name: str
    low: str
    high: str


def clock_ranges(root: Path) -> list[ClockRange]:
    """Of the CPUs that are online, the GPU, and the memory where it has such a range."""
    found = [_range(root, CPU, folder, "scaling_{}_freq") for folder in _cpu_folders(root)]
    if (gpu := gpu_folder(root)) is not None:
        found.append(_range(root, GPU, gpu, "{}_freq"))
    found += [_range(root, EMC, folder, "{}_freq") for folder in entries(root / "sys/class/devfreq", "*bwmgr*")]
    return found


def emc_lock_hz(root: Path) -> int | None:
    """At what an Orin's memory clock is locked: its highest rate, or what the mode allows; None where it has none."""
    most = number_of(root / _EMC / "max_rate")
    if most is None or number_of(root / EMC_LOCK) is None:
        return None
    cap = emc_cap_hz(root)
    return min(most, cap) if cap else most


def files_to_save(root: Path, modes: PowerModes) -> list[str]:
    """All that a power mode or a lock may change, CPUs that are switched first: without its CPU a clock has no file."""
    switches = [_name(root, path) for path in entries(root / _CPUS, "cpu[0-9]*/online")]
    ranges = [name for item in clock_ranges(root) for name in (item.high, item.low)]
    governors = [_name(root, folder / "scaling_governor") for folder in _cpu_folders(root)]
    wanted = [*switches, *modes.files, *governors, *ranges, EMC_RATE, EMC_LOCK]
    return [name for name in dict.fromkeys(wanted) if text_of(root / name) is not None]


def _cpu_folders(root: Path) -> list[Path]:
    """One for each group of CPUs that share a clock, where the kernel tells the groups; else one for each CPU."""
    groups = [
        folder for folder in entries(root / _CPUS / "cpufreq", "policy[0-9]*") if text_of(folder / "affected_cpus")
    ]
    cpus = entries(root / _CPUS, "cpu[0-9]*")
    online = [cpu / "cpufreq" for cpu in cpus if number_of(cpu / "online") != 0]
    return groups or [folder for folder in online if folder.is_dir()]


def _range(root: Path, kind: str, folder: Path, names: str) -> ClockRange:
    low, high = (_name(root, folder / names.format(bound)) for bound in ("min", "max"))
    return ClockRange(kind, folder.parent.name if kind == CPU and folder.name == "cpufreq" else folder.name, low, high)


def _name(root: Path, path: Path) -> str:
    return str(path.relative_to(root))
