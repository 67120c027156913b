"""Questions about the system: releases, clock, device nodes, containers, and commands whose ways differ by release."""

import shutil
import stat
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.device.files import entries, is_there, number_of, text_of
from agent.device.libraries import cuda_version, cudnn_version
from agent.device.nodes import groups_of
from agent.device.packages import installed
from agent.doctor.check import CheckContext
from agent.doctor.settle.question import CouldNotAsk, Question

_PACKAGES = (
    "nvidia-l4t-core",
    "nvidia-l4t-cuda",
    "nvidia-l4t-dla-compiler",
    "libnvinfer-bin",
    "nvidia-container-toolkit",
)
_NODES = ("nvmap", "nvgpu/igpu0/*", "nvhost-*gpu*", "nvhost-ctrl-nvdla*", "host1x-fence", "dri/*", "nvidia*")
_TOO_OLD_S = 1_700_000_000  # November 2023: before this program was
_COMMAND_S = 8.0


def run_command(*command: str) -> str:
    """What a command prints, in one line, and how it ends. Raises CouldNotAsk where it is not installed or hangs."""
    if shutil.which(command[0]) is None:
        raise CouldNotAsk(f"{command[0]} is not installed here")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_S, check=False)
    except subprocess.TimeoutExpired:
        raise CouldNotAsk(f"{command[0]} did not end within {_COMMAND_S:.0f} s") from None
    except OSError as error:
        raise CouldNotAsk(f"{command[0]}: {error.strerror}") from None
    said = " | ".join(line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip())
    return f"exit code {done.returncode}: {said[:600]}"


def software(context: CheckContext) -> str:
    root = context.root
    packages = installed(root)
    found = [f"{name} {packages[name]}" for name in _PACKAGES if name in packages]
    tensorrt = sorted(f"{name} {version}" for name, version in packages.items() if name.startswith("libnvinfer"))
    system = next(
        (
            line.partition("=")[2].strip('"')
            for line in (text_of(root / "etc/os-release") or "").splitlines()
            if line.startswith("PRETTY_NAME")
        ),
        "unknown system",
    )
    kernel = text_of(root / "proc/sys/kernel/osrelease") or "unknown kernel"
    parts = [system, f"kernel {kernel}", f"CUDA {cuda_version(root)}", f"cuDNN {cudnn_version(root)}"]
    return "; ".join([*parts, *(found or ["no L4T package here"]), *(tensorrt[:12] or ["no libnvinfer package here"])])


def clock(context: CheckContext) -> str:
    """An RTC that stands near 1970 is what rewinds the clock at boot, if it is the one that is read then."""
    clocks = [_rtc(folder) for folder in entries(context.root / "sys/class/rtc", "rtc*")]
    synchronised = is_there(context.root / "run/systemd/timesync/synchronized")
    return "; ".join([*(clocks or ["no RTC"]), "synchronised" if synchronised else "not known to be synchronised"])


def _rtc(folder: Path) -> str:
    seconds, name = number_of(folder / "since_epoch"), text_of(folder / "name") or "?"
    named = f"{folder.name} {name} ({'' if number_of(folder / 'hctosys') == 1 else 'not '}read at boot)"
    if seconds is None:
        return f"{named}: unreadable"
    rewinds = ", so old that it would rewind the clock" if seconds < _TOO_OLD_S else ""
    return f"{named}: {seconds - time.time():+.0f} s from the system's clock{rewinds}"


def device_nodes(context: CheckContext) -> str:
    groups, found = groups_of(context.root), []
    for pattern in _NODES:
        for node in entries(context.root / "dev", pattern):
            if node.is_dir():
                continue
            owner = context.owner_of(node)
            kind = "" if stat.S_ISCHR(node.stat().st_mode) else " (a plain file)"
            group = groups.get(owner.gid, (str(owner.gid), ()))[0]
            found.append(f"{node.relative_to(context.root / 'dev')} {group}:{owner.gid} {owner.mode:04o}{kind}")
    if not found:
        raise CouldNotAsk("none of the nodes is here: a copied tree, or a container without the NVIDIA runtime")
    return "; ".join(found)


def toolkit(context: CheckContext) -> str:
    """csv or CDI: the toolkit's own setting, and what the host holds for each."""
    if context.confined:
        raise CouldNotAsk("only the host can see it")
    config = text_of(context.root / "etc/nvidia-container-runtime/config.toml") or ""
    mode = next((line.strip() for line in config.splitlines() if line.strip().startswith("mode ")), "no mode set")
    csv = entries(context.root / "etc/nvidia-container-runtime/host-files-for-container.d", "*.csv")
    cdi = [path for folder in ("etc/cdi", "var/run/cdi", "run/cdi") for path in entries(context.root / folder, "*")]
    daemon = text_of(context.root / "etc/docker/daemon.json") or ""
    default = (
        "nvidia is Docker's default" if '"default-runtime"' in daemon and "nvidia" in daemon else "not the default"
    )
    refresh = is_there(context.root / "etc/systemd/system/nvidia-cdi-refresh.service") or bool(
        entries(context.root, "*/systemd/system/nvidia-cdi-refresh.*")
    )
    names = [
        f"csv: {', '.join(path.name for path in csv) or 'none'}",
        f"CDI: {', '.join(path.name for path in cdi) or 'none'}",
    ]
    return "; ".join(
        [
            mode if config else "no config.toml",
            *names,
            default,
            f"nvidia-cdi-refresh {'there' if refresh else 'absent'}",
        ]
    )


def jetson_clocks(context: CheckContext) -> str:
    return run_command("jetson_clocks", "--show")


def nvpmodel_query(context: CheckContext) -> str:
    return run_command("nvpmodel", "-q")


def modules(context: CheckContext) -> str:
    """Of Python's packages that a job may need: what is installed for this interpreter."""
    found = []
    for name in ("numpy", "pycuda", "onnxruntime", "onnxruntime-gpu", "tensorrt"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


QUESTIONS = (
    Question(
        "software",
        "which releases are together on this board?",
        "dpkg, /etc/os-release, CUDA's files",
        software,
        needs="machine",
    ),
    Question(
        "Python modules",
        "which versions of the modules that a job may need work here?",
        "installed metadata of this interpreter",
        modules,
        needs="machine",
        live=True,
    ),
    Question(
        "RTC",
        "does an RTC with an old date rewind the clock at boot?",
        "/sys/class/rtc",
        clock,
        needs="machine",
        live=True,
    ),
    Question("device nodes", "which nodes are here, with groups and modes?", "stat of /dev", device_nodes, needs="gpu"),
    Question(
        "container toolkit",
        "is it in csv or CDI mode?",
        "config.toml, csv and CDI folders, daemon.json",
        toolkit,
        needs="machine",
    ),
    Question(
        "jetson_clocks --show", "with which code does it end, as this user?", "the command", jetson_clocks, live=True
    ),
    Question("nvpmodel -q", "does it answer a user who is not root?", "the command", nvpmodel_query, live=True),
)
