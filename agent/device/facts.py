"""What this device is and runs, read from the system's own files. What cannot be read stays unknown, never guessed."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from agent.device.cpu import read_cpu
from agent.device.files import text_of
from agent.device.jetson import read_jetson
from jetfleet.v1.task_pb2 import Facts


def read_facts(
    root: Path = Path("/"), *, env: Mapping[str, str], runtimes: Mapping[str, str], labels: Mapping[str, str]
) -> Facts:
    """`root` is where proc, sys and etc are found; `runtimes` maps each runtime that imports to its version.

    A machine type, a kernel or a CPU count is this process's own, whatever the root.
    """
    cpu, jetson = read_cpu(root), read_jetson(root)
    known = {
        "hostname": text_of(root / "proc/sys/kernel/hostname"),
        "arch": platform.machine() or None,
        "os": _os_name(root),
        "kernel": text_of(root / "proc/sys/kernel/osrelease"),
        "cpu_model": cpu.model,
        "cpu_count": len(os.sched_getaffinity(0)),
        "memory_bytes": _memory_bytes(root),
        "python": platform.python_version(),
        "container": _container(root, env),
        "module": jetson.module,
        "sku": jetson.sku,
        "l4t": jetson.l4t,
        "jetpack": jetson.jetpack,
        "power_mode": jetson.power_mode,
    }
    facts = Facts(cpu_isa=cpu.isa, runtimes=runtimes, labels=labels)
    for name, value in known.items():
        if value is not None:
            setattr(facts, name, value)
    return facts


def _os_name(root: Path) -> str | None:
    for path in ("etc/os-release", "usr/lib/os-release"):
        for line in (text_of(root / path) or "").splitlines():
            name, _, value = line.partition("=")
            if name == "PRETTY_NAME":
                return value.strip().strip("\"'") or None
    return None


def _memory_bytes(root: Path) -> int | None:
    for line in (text_of(root / "proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal" and value.split()[:1] and value.split()[0].isdigit():
            return int(value.split()[0]) * 1024
    return None


def _container(root: Path, env: Mapping[str, str]) -> str | None:
    """The engine that this process is confined by; none only where there is a system to look at."""
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    told = text_of(root / "run/systemd/container") or env.get("container")
    if told:
        return told
    return "none" if (root / "proc/self").exists() or (root / "proc/cpuinfo").exists() else None
