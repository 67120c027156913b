"""What this device is and runs, read from the system's own files. What cannot be read stays unknown, never guessed."""

import platform
from collections.abc import Mapping
from pathlib import Path

from agent.device.board import BoardIdentity, memory_bytes, read_board
from agent.device.container import has_nvidia_runtime, read_container
from agent.device.cpu import read_cpu
from agent.device.files import text_of
from agent.device.gpu import Gpu
from agent.device.libraries import cuda_version, cudnn_version, dla_compiler_version
from agent.device.nvpmodel import read_power_modes
from agent.device.quota import usable_cpus
from agent.device.rails import covered, find_rails
from agent.device.release import read_l4t
from agent.device.thermal import temperatures
from jetfleet.releases import jetpack_of
from jetfleet.v1.task_pb2 import Facts


def read_facts(
    root: Path = Path("/"),
    *,
    env: Mapping[str, str],
    runtimes: Mapping[str, str],
    labels: Mapping[str, str],
    gpu: Gpu | None = None,
) -> Facts:
    """`root` is where proc, sys and etc are found; `runtimes` maps each runtime that imports to its version.

    `gpu` is what CUDA's driver says, where it was asked. A machine type, a Python and the CPUs that this process may
    run on are its own, whatever the root.
    """
    board, modes, gpu = read_board(root, env), read_power_modes(root), gpu or Gpu()
    known = {
        **_machine(root, env),
        **_jetson(root, env, board),
        **_accelerator(root, board, gpu),
        **_confinement(root, env, gpu),
        "power_mode": modes.current,
        "thermal_readable": bool(temperatures(root)),
    }
    facts = Facts(cpu_isa=read_cpu(root).isa, runtimes=runtimes, labels=labels, power_modes=modes.names)
    for name, value in known.items():
        if value is not None:
            setattr(facts, name, value)
    return facts


def _machine(root: Path, env: Mapping[str, str]) -> dict[str, str | int | bool | None]:
    return {
        "hostname": text_of(root / "proc/sys/kernel/hostname"),
        "arch": platform.machine() or None,
        "os": _os_name(root),
        "kernel": text_of(root / "proc/sys/kernel/osrelease"),
        "cpu_model": read_cpu(root).model,
        "cpu_count": usable_cpus(root),
        "memory_bytes": memory_bytes(root),
        "python": platform.python_version(),
    }


def _confinement(root: Path, env: Mapping[str, str], gpu: Gpu) -> dict[str, str | bool | None]:
    """A driver that answers from inside a container was given to it, wherever its files lie."""
    container = read_container(root, env)
    given = has_nvidia_runtime(root, container)
    return {"container": container, "nvidia_runtime": given if given is None else given or gpu.cuda is not None}


def _jetson(root: Path, env: Mapping[str, str], board: BoardIdentity) -> dict[str, str | int | None]:
    l4t, known = read_l4t(root), board.known
    return {
        "module": board.module,
        "module_source": board.source,
        "sku": known.sku if known else None,
        "l4t": l4t,
        "jetpack": jetpack_of(l4t),
        # The hardware's: whether the software uses them is decided from the TensorRT version, elsewhere.
        "dla_cores": known.dla_cores if known else None,
        "dla_compiler": dla_compiler_version(root, env),
        "power_rails": covered([monitor.label for monitor in find_rails(root)]),
    }


def _accelerator(root: Path, board: BoardIdentity, gpu: Gpu) -> dict[str, str | int | bool | None]:
    """On a Jetson the chip is known from the board, and asked what power mode and driver make of it."""
    cuda, known, chip = cuda_version(root), board.known, board.chip
    common: dict[str, str | int | bool | None] = {"cudnn": cudnn_version(root), "gpu_driver": gpu.driver}
    if chip is not None:
        return {
            **common,
            "cuda": cuda or gpu.cuda,
            "gpu": chip.gpu,
            "compute_capability": gpu.compute_capability or chip.compute_capability,
            "sm_count": gpu.sm_count or (known.sm_count if known else None),
            "gpu_integrated": True,
        }
    return {
        **common,
        "cuda": gpu.cuda or cuda,
        "gpu": gpu.name,
        "compute_capability": gpu.compute_capability,
        "sm_count": gpu.sm_count,
        "gpu_integrated": gpu.integrated,
        "gpu_memory_bytes": None if gpu.integrated else gpu.memory_bytes,
    }


def _os_name(root: Path) -> str | None:
    for path in ("etc/os-release", "usr/lib/os-release"):
        for line in (text_of(root / path) or "").splitlines():
            name, _, value = line.partition("=")
            if name == "PRETTY_NAME":
                return value.strip().strip("\"'") or None
    return None
