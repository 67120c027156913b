"""Where and when a run took place, as far as it explains the figures; no host names, no paths."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from agent.device.gpu import read_gpu


def describe() -> dict[str, Any]:
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "revision": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else ""),
        "cpu": _cpu_model(),
        **({"gpu": f"{gpu.name}, driver {gpu.driver}"} if (gpu := read_gpu()).name else {}),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 1),
    }


def slug(machine: dict[str, Any]) -> str:
    """`amd-epyc-2cores`, `nvidia-h200-16cores`."""
    words = f"{machine.get('gpu', machine['cpu']).partition(',')[0]} {machine['cores']}cores"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _cpu_model() -> str:
    """x86 names its model; an Arm kernel does not, and says at least what it is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
