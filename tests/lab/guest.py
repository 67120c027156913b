"""A machine with its own systemd: a Debian root with the agent's wheel in /opt/jetfleet, booted by systemd-nspawn.

Only ever on a root folder of its own: systemd started on the machine's own root would clean up its temp folder.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from testing.processes import wait_for
from tests.house.source import ROOT
from tests.lab.network import install_missing, run

LAB = Path(os.environ.get("JETFLEET_LAB", ROOT / ".lab"))
_PACKAGES = "systemd,systemd-sysv,dbus,openssl,python3,python3-venv,iproute2,procps,util-linux"
_TOOLS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "nsenter": "util-linux"}
_CONTAINERS_CONF = """\
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=4096:4096", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""
PYTHON = "/opt/jetfleet/bin/python"
AGENT = "/opt/jetfleet/bin/agent"


def install_tools() -> None:
    install_missing(_TOOLS)


def make_base(name: str = "base", *, more: str = "") -> Path:
    """The root folder that all guests share, made once; the wheels are those of this tree, every time. `more` are
    packages beside the usual ones.
    """
    base = LAB / name
    if not (base / "opt/jetfleet").exists():
        shutil.rmtree(base, ignore_errors=True)
        LAB.mkdir(parents=True, exist_ok=True)
        packages = f"{_PACKAGES},{more}" if more else _PACKAGES
        run("mmdebstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(base))
        (base / "etc/machine-id").write_text("")
        (base / "var/lib/dbus/machine-id").unlink(missing_ok=True)
        run("chroot", str(base), "python3", "-m", "venv", "/opt/jetfleet")
    _install_wheels(base)
    return base


def _install_wheels(base: Path) -> None:
    wheels = base / "opt/wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--wheel-dir", str(wheels)]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    run(*pip, *constraints, f"{ROOT}[agent,onnxruntime,controller]")
    pip_there = "/opt/jetfleet/bin/pip install -q --no-index --no-deps"
    run("chroot", str(base), "sh", "-c", f"{pip_there} /opt/wheels/*.whl")
    run("chroot", str(base), "sh", "-c", f"{pip_there} --force-reinstall /opt/wheels/jetfleet-*.whl")


class Guest:
    """One machine: a layer over the base, which survives a power cut as a disk would. With `podman` it can run
    containers, without control groups of their own. `binds` are files of this machine, by where they are in there.
    """

    def __init__(
        self, name: str, base: Path, *, network: str, podman: bool = False, binds: Mapping[str, str] | None = None
    ) -> None:
        self._podman = podman
        self._binds = [f"--bind={source}:{there}" for there, source in (binds or {}).items()]
        self.name, self._base, self._network = name, base, network
        self._home = LAB / "guests" / name
        self.root = self._home / "root"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self.leader = 0

    def __enter__(self) -> "Guest":
        self.remove()
        for folder in ("up", "work", "root"):
            (self._home / folder).mkdir(parents=True)
        layers = f"lowerdir={self._base},upperdir={self._home}/up,workdir={self._home}/work"
        run("mount", "-t", "overlay", self.name, "-o", layers, str(self.root))
        return self

    def __exit__(self, *_: object) -> None:
        self.power_cut()
        self.remove()

    def remove(self) -> None:
        run("umount", str(self.root), check=False)
        shutil.rmtree(self._home, ignore_errors=True)

    def boot(self) -> float:
        """Seconds until its systemd says that it runs."""
        began = time.monotonic()
        options = ["-q", "-D", str(self.root), "-M", self.name, "--register=no", "--keep-unit", "--console=pipe"]
        options += self._binds
        environment = dict(os.environ)
        if self._podman:
            options += self._container_options()
            environment |= {"UNIFIED_CGROUP_HIERARCHY": "0", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"}
        command = ["systemd-nspawn", *options, f"--network-namespace-path={self._network}", "-b"]
        with (self._home / "console.log").open("ab") as log:
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.leader = wait_for(self._find_leader, what="systemd-nspawn's first process")
        states = ("running", "degraded")
        wait_for(
            lambda: self.run("systemctl", "is-system-running", check=False).strip() in states,
            what="the boot",
            timeout_s=90,
        )
        return time.monotonic() - began

    def _container_options(self) -> list[str]:
        """Images lie on the machine's own disk: a layer over a layer would be needed else."""
        (self._home / "containers").mkdir(exist_ok=True)
        (self.root / "etc/containers").mkdir(exist_ok=True)
        (self.root / "etc/containers/containers.conf").write_text(_CONTAINERS_CONF)
        storage = f"--bind={self._home}/containers:/var/lib/containers"
        return ["--capability=all", "--system-call-filter=@keyring", "--bind=/dev/fuse", storage]

    def power_cut(self) -> None:
        """Everything in it is gone at once, and nothing of it was asked."""
        if self._nspawn is None:
            return
        if self.leader:
            os.kill(self.leader, signal.SIGKILL)
        self._nspawn.wait(60)
        self._nspawn, self.leader = None, 0

    def run(self, *words: str, check: bool = True, env: dict[str, str] | None = None) -> str:
        """As root in there."""
        more = [f"{name}={value}" for name, value in (env or {}).items()]
        return run(*self.entry(), *more, *words, check=check)

    def entry(self) -> tuple[str, ...]:
        """What a command begins with that runs as root in there; variables may follow."""
        enter = ("nsenter", "-t", str(self.leader), "-m", "-p", "-u", "-i", "-n", "-C", "--")
        return (*enter, "env", "-i", "PATH=/opt/jetfleet/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root")

    def show(self, unit: str, *names: str) -> dict[str, str]:
        said = self.run("systemctl", "show", unit, f"--property={','.join(names)}")
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def main_pid(self, unit: str) -> int:
        return int(self.show(unit, "MainPID")["MainPID"])

    def signal(self, unit: str, number: signal.Signals) -> None:
        self.run("kill", f"-{number.value}", str(self.main_pid(unit)))

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--no-pager", "-u", unit, check=False)

    def files(self) -> dict[str, str]:
        """Every file that a package or an installation may leave, with its kind, owner and mode."""
        places = ["/etc", "/usr", "/opt", "/var/lib", "/run/jetfleet", "/home", "/root", "/srv"]
        said = self.run("find", *places, "-xdev", "-printf", "%p %y %u:%g %m\n", check=False)
        return dict(line.split(" ", 1) for line in said.splitlines() if "__pycache__" not in line)

    def _find_leader(self) -> int | None:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise AssertionError((self._home / "console.log").read_text()[-2000:])
        said = run("pgrep", "-P", str(self._nspawn.pid), check=False).split()
        return int(said[0]) if said else None


def as_json(text: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(text)
    return found
