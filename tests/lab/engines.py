"""The lab of containers: podman that builds, a Docker daemon in a network namespace that runs, and a lean base image.

Nothing of it touches the machine's own containers, networks or Docker daemon; all files lie in one folder.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from testing.processes import wait_for
from tests.house.source import ROOT
from tests.lab.network import install_missing, run

FOLDER = Path(os.environ.get("JETFLEET_LAB", ROOT / ".lab")) / "containers"
BASE = "localhost/lab/debian-lean:bookworm"
_TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "iptables": "iptables",
    "ip": "iproute2",
}
# What Python, numpy and the images' own commands need of Debian, unpacked; no package manager.
_BASE_PACKAGES = (
    "python3-minimal,libpython3-stdlib,libstdc++6,coreutils,dash,findutils,base-files,libc-bin,sed,grep,passwd"
)
_ULIMIT = 4096


def install_tools() -> None:
    install_missing(_TOOLS)


class Podman:
    """With its images in the lab's folder; `env` is what makes another podman the same one."""

    def __init__(self) -> None:
        folder = FOLDER / "podman"
        folder.mkdir(parents=True, exist_ok=True)
        # A machine without systemd, with the old control groups and without CAP_SYS_RESOURCE.
        (folder / "containers.conf").write_text(
            f'[containers]\ndefault_ulimits=["nofile={_ULIMIT}:{_ULIMIT}","nproc=16384:16384"]\n'
            '[engine]\ncgroup_manager="cgroupfs"\nevents_logger="file"\nruntime="runc"\n'
        )
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver="overlay"\ngraphroot="{folder}/root"\nrunroot="{folder}/run"\n'
        )
        self.env = {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

    def run(self, *words: str) -> str:
        return run("podman", *words, env=self.env)

    def make_base(self) -> None:
        """Once; a base like one that a fleet's owner would choose, only leaner."""
        if self.run("images", "--quiet", BASE):
            return
        root = FOLDER / "base.tar"
        excludes = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("man", "doc", "locale")]
        packages = f"--include={_BASE_PACKAGES}"
        run("mmdebstrap", "--quiet", "--variant=extract", packages, *excludes, "bookworm", str(root))
        self.run("import", "--quiet", str(root), BASE)
        root.unlink()

    def megabytes(self, image: str) -> float:
        return int(self.run("image", "inspect", "--format", "{{.Size}}", image)) / 1e6


class DockerDaemon:
    """One of a host's: its `--network=host` is the host's namespace, and its bridges are made in there."""

    def __init__(self, namespace: str) -> None:
        self._namespace, self._folder = namespace, FOLDER / "docker"
        self._popen: subprocess.Popen[bytes] | None = None
        self.env = {"DOCKER_HOST": f"unix://{self._folder}/docker.sock"}

    def __enter__(self) -> "DockerDaemon":
        self._remove_files()
        self._folder.mkdir(parents=True)
        settings = {
            "data-root": f"{self._folder}/data",
            "exec-root": f"{self._folder}/exec",
            "pidfile": f"{self._folder}/pid",
            "hosts": [self.env["DOCKER_HOST"]],
            "default-ulimits": {"nofile": {"Name": "nofile", "Hard": _ULIMIT, "Soft": _ULIMIT}},
        }
        (self._folder / "daemon.json").write_text(json.dumps(settings))
        # Not `ip netns exec`, which gives its child another /sys, without control groups.
        command = ["nsenter", f"--net=/run/netns/{self._namespace}", "dockerd"]
        with (self._folder / "log").open("wb") as log:
            self._popen = subprocess.Popen(
                [*command, "--config-file", str(self._folder / "daemon.json")], stdout=log, stderr=log
            )
        wait_for(lambda: self.run("version", check=False).count("Version") > 1, what=f"dockerd: {self._folder}/log")
        return self

    def __exit__(self, *_: object) -> None:
        names = self.run("ps", "--all", "--quiet", check=False).split()
        if names:
            self.run("rm", "--force", "--volumes", *names, check=False)
        if self._popen is not None:
            self._popen.terminate()
            self._popen.wait(60)
        self._remove_files()

    def _remove_files(self) -> None:
        """What a daemon leaves mounted first, the last one first."""
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in reversed(mounted):
            if place.startswith(f"{self._folder}/"):
                run("umount", "--lazy", place, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, *words: str, check: bool = True) -> str:
        return run("/usr/bin/docker", *words, env=self.env, check=check)

    def inspect(self, container: str, field: str) -> str:
        return self.run("inspect", "--format", f"{{{{{field}}}}}", container).strip()

    def execute(self, container: str, *words: str) -> str:
        return self.run("exec", container, *words)


def timed(what: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[str, float]:
    """What a command printed, and how many seconds it took."""
    start = time.monotonic()
    return run(*what, env=env), time.monotonic() - start
