"""Checks of what any machine needs: memory, disk, Python, a right clock, and the agent's own service."""

import os
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import agent.doctor.check as this_package
from agent.device.files import is_there, text_of
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip, warn

NOT_LIVE = "a tree is looked at, not this machine"
UNIT = "jetfleet-agent.service"
_GIB = 1 << 30


def memory(context: CheckContext) -> CheckResult:
    sizes = _meminfo(context.root)
    if "MemAvailable" not in sizes:
        return skip("/proc/meminfo cannot be read")
    free, all_of_it = sizes["MemAvailable"], sizes.get("MemTotal", 0)
    found = f"{free / _GIB:.1f} GiB free of {all_of_it / _GIB:.1f} GiB"
    if free >= 2 * _GIB:
        return ok(found)
    why = "TensorRT tries fewer kernels when memory is short, or is killed; GPU and CPU share this memory on a Jetson"
    fix = "sudo systemctl isolate multi-user.target   # stops the desktop"
    return (fail if free < _GIB // 2 else warn)(found, why=why, fix=fix)


def swap(context: CheckContext) -> CheckResult:
    lines = (text_of(context.root / "proc/swaps") or "").splitlines()[1:]
    files = [line.split()[0] for line in lines if line.split()]
    zram = [name for name in files if "zram" in name]
    if not files:
        return ok("none")
    found = f"{len(files)} in use" + (f", {len(zram)} of them zram" if zram else "")
    if zram and context.kind == "jetson" and _meminfo(context.root).get("MemTotal", 0) < 9 * _GIB:
        why = "zram is made of the memory that GPU and CPU share, and the GPU's part cannot be swapped out"
        fix = "sudo systemctl disable nvzramconfig   # before long builds; a swap file on NVMe serves the CPU's side"
        return warn(found, why=why, fix=fix)
    return ok(found)


def disk(context: CheckContext) -> CheckResult:
    if not context.live:
        return skip(NOT_LIVE)
    folder = next(path for path in (context.state_dir, *context.state_dir.parents) if is_there(path))
    free = shutil.disk_usage(folder).free
    found = f"{free / _GIB:.1f} GiB free for {context.state_dir}"
    if not os.access(folder, os.W_OK):
        return fail(
            f"{folder} may not be written",
            why="the agent keeps engines and results there",
            fix=f"sudo chown $USER {folder}",
        )
    if free < _GIB:
        why = "models, engines and results go there"
        return fail(found, why=why, fix="free some space, or choose another place: `agent run --state FOLDER`")
    if free < 5 * _GIB:
        return warn(found, why="enough for small models only", fix="free some space, or use --state FOLDER")
    return ok(found)


def python(context: CheckContext) -> CheckResult:
    if not context.live:
        return skip(NOT_LIVE)
    found = f"{context.interpreter.text}" + (
        f" in {context.interpreter.venv}" if context.interpreter.venv else ", no venv"
    )
    if context.kind == "jetson" and not context.interpreter.system_packages:
        why = "a venv without the system's packages: JetPack's TensorRT lies among those"
        return warn(found, why=why, fix=f"python3 -m venv --system-site-packages {context.interpreter.venv}")
    return ok(found)


def image_library(context: CheckContext) -> CheckResult:
    if not context.live:
        return skip(NOT_LIVE)
    try:
        return ok(f"Pillow {version('pillow')}")
    except PackageNotFoundError:
        return skip("not installed: jobs with a pipeline leave this device out (`pip install 'jetfleet[pipeline]'`)")


def clock(context: CheckContext) -> CheckResult:
    """A clock from before this agent was installed is certainly wrong; a synchronised one is right."""
    installed = Path(this_package.__file__).stat().st_mtime
    if context.live and time.time() < installed - 86_400:
        why = "it stands before the day on which this agent was installed"
        return fail(time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), why=why, fix="sudo timedatectl set-ntp true")
    if is_there(context.root / "run/systemd/timesync/synchronized"):
        return ok("synchronised")
    if context.confined:
        return skip("a container cannot see whether the host's clock is synchronised")
    why = "nothing here says that the clock is synchronised; results carry the controller's time, logs this one's"
    return warn("not known to be synchronised", why=why, fix="sudo timedatectl set-ntp true && timedatectl")


def service(context: CheckContext) -> CheckResult:
    if not context.live:
        return skip(NOT_LIVE)
    if not is_there(context.root / "run/systemd/system") or shutil.which("systemctl") is None:
        return skip("no systemd here")
    command = ["systemctl", "show", UNIT, "--property=LoadState,ActiveState,SubState,Result"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    return unit_state(dict(line.split("=", 1) for line in said.splitlines() if "=" in line))


def unit_state(said: dict[str, str]) -> CheckResult:
    """What systemd's properties of the agent's unit mean."""
    if said.get("LoadState") != "loaded":
        return skip(f"{UNIT} is not installed")
    state = f"{said.get('ActiveState')} ({said.get('SubState')})"
    if said.get("ActiveState") == "failed":
        return fail(state, why=f"it ended with: {said.get('Result')}", fix=f"journalctl -u {UNIT} -e")
    if said.get("ActiveState") != "active":
        return warn(state, why="the agent is not running", fix=f"sudo systemctl enable --now {UNIT}")
    return ok(state)


def _meminfo(root: Path) -> dict[str, int]:
    """Bytes by name."""
    lines = (line.replace(":", " ").split() for line in (text_of(root / "proc/meminfo") or "").splitlines())
    return {words[0]: int(words[1]) * 1024 for words in lines if len(words) == 3 and words[1].isdigit()}
