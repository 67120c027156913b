"""The agent on aarch64, by qemu's emulation of processes: not a Jetson, and no figure of speed means anything."""

import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.processes import wait_for
from tests.house.source import ROOT
from tests.lab.conftest import LabController, Record
from tests.lab.guest import LAB
from tests.lab.network import LabNetwork, run

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

_PACKAGES = (
    "python3,bash,coreutils,libc-bin,libstdc++6,libgomp1,base-files,base-passwd,passwd,dash,sed,grep,iproute2,procps"
)
_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
_ABOUT = (
    "# The agent on an emulated aarch64",
    "",
    "Written by `make lab-aarch64`: a Debian 12 of arm64, run by qemu's emulation of processes, enrolled at a",
)
_BINFMT = Path("/proc/sys/fs/binfmt_misc")


@pytest.fixture(scope="module")
def record() -> Iterator[Record]:  # of its own
    found = Record("lab-aarch64", _ABOUT)
    yield found
    if found.lines and found.lines[-1][0].startswith("a job"):
        found.write_if_asked()


@pytest.fixture(scope="module")
def board(tools: None) -> Path:
    """A Debian root for arm64 with the agent's wheel, in which nothing was configured but can be run."""
    if shutil.which("qemu-aarch64-static") is None:
        run("apt-get", "install", "-y", "--no-install-recommends", "qemu-user-static", "binfmt-support", "arch-test")
    if not _BINFMT.joinpath("register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT))
    run("update-binfmts", "--enable", "qemu-aarch64")
    root = LAB / "arm64"
    if not (root / "usr/bin/python3").exists():
        shutil.rmtree(root, ignore_errors=True)
        LAB.mkdir(parents=True, exist_ok=True)
        run("mmdebstrap", "--arch=arm64", "--variant=extract", f"--include={_PACKAGES}", "bookworm", str(root))
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    _install_wheels(root)
    for folder in ("root", "srv", "tmp", "proc", "sys", "dev", "var/lib"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    return root


def _install_wheels(root: Path) -> None:
    wheels, site = LAB / "arm64-wheels", root / "opt/site"
    shutil.rmtree(wheels, ignore_errors=True)
    shutil.rmtree(site, ignore_errors=True)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
    version = next(root.glob("usr/lib/python3.*")).name.removeprefix("python")
    target = ["--target", str(site), "--python-version", version, "--implementation", "cp", "--only-binary=:all:"]
    target += [word for name in _PLATFORMS for word in ("--platform", f"{name}_aarch64")]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        *target,
        *constraints,
        f"{next(wheels.iterdir())}[agent,onnxruntime]",
    )


def command(board: Path, *words: str) -> list[str]:
    """In the board's root, in a mount namespace that ends with the command. Without /sys, which is another machine's:
    ONNX Runtime dies of it."""
    inside = 'mount -t proc proc proc; mount --rbind /dev dev; exec chroot . "$@"'
    env = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "PYTHONPATH=/opt/site"]
    return [
        *env,
        "unshare",
        "-m",
        "--propagation",
        "private",
        "sh",
        "-c",
        f"cd {shlex.quote(str(board))}; {inside}",
        "sh",
        *words,
    ]


def in_board(board: Path, *words: str, env: str = "") -> str:
    whole = command(board, *words)
    if env:
        whole.insert(2, env)
    done = subprocess.run(whole, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


AGENT = ("python3", "-m", "agent.cli")


def test_it_is_another_machine(board: Path, record: Record):
    code = "import platform; print(platform.machine(), platform.python_version())"
    machine, version = in_board(board, "python3", "-c", code).split()
    assert machine == "aarch64" != platform.machine()
    record.note("machine, and its Python", f"{machine}, {version}")


def test_install_says_what_it_would_do(board: Path, record: Record):
    said = in_board(board, *AGENT, "install", "--native", "--dry-run")
    assert "write /etc/systemd/system/jetfleet-agent.service" in said
    assert "run systemctl enable jetfleet-agent.service jetfleet-helper.socket" in said
    record.note("`agent install --native --dry-run`", "every file and command")


def test_a_board_enrols_and_runs_a_job_for_a_controller_of_another_architecture(
    board: Path, controller: LabController, network: LabNetwork, record: Record
):
    token, *words = shlex.split(controller.line("--name", "arm", "--label", "board=arm"))
    shutil.rmtree(board / "srv/state", ignore_errors=True)
    enter = ["ip", "netns", "exec", network.namespace("board")]
    enrol = command(board, *AGENT, *words[1:], "--state", "/srv/state")
    enrol.insert(2, token)
    began = time.monotonic()
    said = run(*enter, *enrol)
    assert "enrolled at" in said
    agent = subprocess.Popen([*enter, *command(board, *AGENT, "run", "--as-root", "--state", "/srv/state")])
    try:
        with controller.client() as client:
            wait_for(
                lambda: any(item.name == "arm" and item.online for item in client.devices()), what="arm to be online"
            )
            record.note("the printed line to the first heartbeat, emulated", f"{time.monotonic() - began:.0f} s")
            job = client.submit(
                ROOT / "examples/onnx/model.onnx", name="arm", targets=[{"every": {"label.board": "arm"}}]
            )
            assert job.wait().state.value == "SUCCEEDED"
            device = next(item for item in client.devices() if item.name == "arm")
            assert device.facts["arch"] == "aarch64"
            record.note("a job for a controller of x86-64", "SUCCEEDED on ONNX Runtime; its speed means nothing")
    finally:
        agent.terminate()
        agent.wait(60)
