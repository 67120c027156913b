"""What a child process saw of its surroundings while it worked: the record that travels with every result."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from jetfleet.version import VERSION

# Variables that change what runs or how fast. Named one by one: an environment also holds secrets.
_RELEVANT = (
    *("JETFLEET_THREADS", "JETFLEET_MEMORY_LIMIT_BYTES", "LD_LIBRARY_PATH", "LD_PRELOAD", "LANG"),
    *("NVIDIA_TF32_OVERRIDE", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
)
_RELEVANT_PREFIXES = ("OMP_", "OPENBLAS_", "MKL_", "CUDA_")


def gather(
    config: Mapping[str, str], *, root: Path = Path("/"), env: Mapping[str, str] = os.environ
) -> dict[str, object]:
    """Plain data for JSON; what cannot be read is left out. `config` is the runtime's own."""
    cpus = sorted(os.sched_getaffinity(0))
    found: dict[str, object] = {
        "jetfleet": VERSION,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "kernel": platform.release(),
        "affinity": cpus,
        "cpu": dict(_cpu_settings(root, cpus)),
        "loadavg": list(os.getloadavg()),
        "env": {name: env[name] for name in sorted(env) if name in _RELEVANT or name.startswith(_RELEVANT_PREFIXES)},
        "runtime": dict(config),
    }
    memory = _text(root / "proc/meminfo").splitlines()
    found["memory"] = dict(line.split(":", 1) for line in memory if line.startswith(("MemAvailable:", "SwapFree:")))
    return found


def _cpu_settings(root: Path, cpus: list[int]) -> Iterator[tuple[str, dict[str, str]]]:
    for cpu in cpus:
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
        names = ("scaling_governor", "scaling_cur_freq", "scaling_min_freq", "scaling_max_freq")
        settings = {name: text for name in names if (text := _text(folder / name))}
        if settings:
            yield f"cpu{cpu}", settings


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
