"""Ceilings of a GPU kept from one measurement to the next, for as long as they are of the same device, runtime, power
mode, clocks and boot, and for a day: heat, and limits that nobody tells of, change meanwhile.
"""

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.child_env import CACHE_VARIABLE
from agent.device.clocks import gpu_folder
from agent.device.cudadriver import first_pci_address
from agent.device.files import text_of
from agent.device.nvpmodel import read_power_modes
from agent.runtime.base import Ceilings, Runtime
from agent.runtime.gpu.cuda import is_usable
from agent.telemetry.clocks import ClockSensors, clock_circumstances
from agent.work.ceilings import RATES, measure_gpu
from jetfleet.circumstances import EMC_CLOCKS, GPU_CLOCKS, UNKNOWN
from jetfleet.placement import Placement
from jetfleet.v1.task_pb2 import PROVENANCE_MEASURED, Precision, Subject

log = logging.getLogger(__name__)

_FILE = "ceilings.json"
_KEPT_S = 86_400.0
_MOST_KEPT = 64
_MOST_BYTES = 1 << 20
_MOST_HOW = 2000


def gpu_ceilings(
    runtime: Runtime,
    subject: Subject,
    scratch: Path,
    *,
    may_keep: bool,
    root: Path = Path("/"),
    env: Mapping[str, str] = os.environ,
) -> Ceilings | None:
    """As measured now or before; None for what does not run on a GPU. `may_keep`: nothing slowed the device down.

    Raises what the runtime and CUDA raise.
    """
    if runtime.provenance != PROVENANCE_MEASURED or not Placement(subject.placement).is_gpu or not is_usable():
        return None
    path = Path(env[CACHE_VARIABLE]) / _FILE if env.get(CACHE_VARIABLE) else None
    key = conditions(runtime, subject.precision, root)
    kept = _read(path) if path else {}
    if (known := _known(kept.get(key))) is not None:
        return known
    made = measure_gpu(runtime, subject.precision, scratch)
    if path and may_keep:
        kept[key] = {"rates": dict(made.rates), "how": made.how, "at_s": _now_s()}
        _write(path, kept)
    return made


def conditions(runtime: Runtime, precision: "Precision.ValueType", root: Path) -> str:
    """Everything under which ceilings are the same, as one text."""
    address = "" if gpu_folder(root) is not None else first_pci_address()
    with closing(ClockSensors(root, pci_address=address)) as sensors:
        clocks = clock_circumstances(sensors.read(), on_gpu=True)
    parts = {
        "gpu": address or "the board's",
        "runtime": f"{runtime.name} {runtime.version()}",
        "precision": Precision.Name(precision),
        "power mode": read_power_modes(root).current or UNKNOWN,
        "GPU clock": clocks.get(GPU_CLOCKS, UNKNOWN),
        "memory clock": clocks.get(EMC_CLOCKS, UNKNOWN),
        "boot": text_of(root / "proc/sys/kernel/random/boot_id") or UNKNOWN,
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def _known(entry: Any) -> Ceilings | None:
    """None for one that is old, or that no measurement can have left: children of any engine can write there."""
    try:
        rates = {str(name): float(rate) for name, rate in entry["rates"].items()}
        how, age_s = str(entry["how"]), _now_s() - float(entry["at_s"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    possible = rates and set(rates) <= RATES and all(0 < rate < math.inf for rate in rates.values())
    if not possible or not 0 <= age_s < _KEPT_S:
        return None
    return Ceilings(rates, f"{how[:_MOST_HOW]}; kept for {age_s:.0f} s, under the same power mode and clocks")


def _read(path: Path) -> dict[str, Any]:
    """What cannot be read is measured again."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, kept: dict[str, Any]) -> None:
    """The last ones alone: conditions come and go."""
    newest = dict(list(kept.items())[-_MOST_KEPT:])
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(newest, indent=1) + "\n")
        part.replace(path)
    except OSError as error:
        log.warning("ceilings are not kept: %s", error)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _now_s() -> float:
    """Since the boot, which is part of the key: a board's calendar is not to be believed."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
