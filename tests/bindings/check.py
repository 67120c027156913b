"""Holds the names that the TensorRT runtime uses against what each TensorRT's bindings offer."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bindings.uses import MODULE, Surface, Use, Uses

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
CACHE = ROOT / ".bindings"
# What the bindings' shared object asks the loader for.
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser", "nvparsers")
# Callbacks that TensorRT calls by name: a method that is spelt wrong is silently never called. The recorder's number of
# errors is called by another name than the property that Python reads (`num_errors`).
CALLBACKS = {
    "ILogger": {"log"},
    "IProfiler": {"report_layer_time"},
    "IProgressMonitor": {"phase_start", "step_complete", "phase_finish"},
    "IErrorRecorder": {"get_num_errors", "get_error_code", "get_error_desc", "has_overflowed", "clear", "report_error"},
    "IInt8EntropyCalibrator2": {
        "get_batch_size",
        "get_batch",
        "read_calibration_cache",
        "write_calibration_cache",
    },
}


@dataclass(frozen=True)
class Verdict:
    """One version's: names used there, those of them that it has, and those that it has not but that are asked for."""

    used: frozenset[tuple[str, str]]
    present: frozenset[tuple[str, str]]
    absent: frozenset[tuple[str, str]]
    missing: tuple[Use, ...]  # neither there nor asked for


def compile_shims(major: str, folder: Path) -> None:
    """Puts shared objects by the names of TensorRT's into a folder: enough for the loader, for nothing else."""
    folder.mkdir(parents=True)
    for library in LIBRARIES:
        soname = f"lib{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{soname}", "-o", str(folder / soname)]
        subprocess.run([*command, str(FOLDER / "shim.c")], check=True)


def ask(script: str, module: str, *, packages: Path | None = None, shims: Path | None = None) -> Any:
    """What a script of this folder tells of a TensorRT module, which it imports in a process of its own."""
    path = [str(item) for item in (packages, ROOT, ROOT / "proto") if item]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "LD_LIBRARY_PATH": str(shims or "")}
    command = [sys.executable, "-W", "ignore", str(FOLDER / script), module]
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def merge(surfaces: Sequence[Surface]) -> Surface:
    """Every class and name of any version."""
    merged: dict[str, dict[str, str]] = {}
    for surface in surfaces:
        for owner, names in surface.items():
            known = merged.setdefault(owner, {})
            known.update({name: told or known.get(name, "") for name, told in names.items()})
    return merged


def judge(uses: Uses, surface: Surface, every: Surface) -> Verdict:
    """What of the names used a version has, has not but is asked for, and lacks. `every`: all versions merged."""
    asked = {(use.owner, use.name) for use in uses.probed}
    lacking = [use for use in uses.plain if not _has(surface, use) and not _asked(use, asked, surface, every)]
    used = {(use.owner, use.name) for use in uses.plain | uses.probed}
    present = {(owner, name) for owner, name in used if name in surface.get(owner, {})}
    wrong = {(use.owner, use.name) for use in lacking}
    return Verdict(frozenset(used), frozenset(present), frozenset(used - present - wrong), tuple(sorted(lacking)))


def typos(uses: Uses, surfaces: Sequence[Surface]) -> list[Use]:
    """Names asked for that no version has."""
    return sorted(use for use in uses.probed if not any(_has(surface, use) for surface in surfaces))


def uncalled(uses: Uses) -> list[str]:
    """Callbacks that a class deriving from a callback's interface does not define."""
    defined: dict[tuple[str, str], set[str]] = {}
    for use in uses.derived:
        defined.setdefault((use.file, use.owner), set()).add(use.name)
    return [
        f"{file}: {owner} without {name}"
        for (file, owner), names in sorted(defined.items())
        for name in sorted(CALLBACKS.get(owner, set()) - names)
    ]


def table(verdicts: Mapping[str, Verdict]) -> str:
    """For people: a line a version, and the names that each lacks."""
    lines = [f"{'TensorRT':20} {'used':>5} {'present':>8} {'probed, absent':>15} {'missing':>8}"]
    for version, verdict in verdicts.items():
        counts = (len(verdict.used), len(verdict.present), len(verdict.absent), len(verdict.missing))
        lines.append("{:20} {:>5} {:>8} {:>15} {:>8}".format(version, *counts))
    for version, verdict in verdicts.items():
        absent = " ".join(sorted(".".join(filter(None, pair)) for pair in verdict.absent))
        lines += [f"{version} has not: {absent}"] if absent else []
        lines += [f"{version} LACKS {use}" for use in verdict.missing]
    return "\n".join(lines)


def _has(surface: Surface, use: Use) -> bool:
    return use.name in surface.get(use.owner, {})


def _asked(use: Use, asked: set[tuple[str, str]], surface: Surface, every: Surface) -> bool:
    """Asked for itself; or its class is not there and was asked for, or the class of what it holds, likewise."""
    if (use.owner, use.name) in asked:
        return True
    needed = [use.owner, every.get(use.owner, {}).get(use.name, "")]
    return any(name not in surface and (MODULE, name.split(".")[0]) in asked for name in needed if name != MODULE)
