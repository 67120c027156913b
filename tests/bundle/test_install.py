"""install.sh of a bundle, run for real but for three things: it is told that it is root, installs below a folder of the
test, and its wheelhouse holds stand-ins: an agent that says what it was asked, and a pycuda that compiles nothing.
"""

import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pip
import pytest

from controller.bundle.deploy import deploy_files
from testing import measurements
from tests.bundle.test_package import manifest

AGENT = """\
import os, sys
def main():
    print("agent", *sys.argv[1:])
    sys.exit(4 if "verify" in sys.argv and os.environ.get("DAMAGED") else 0)
"""
BACKEND = """\
def build_wheel(folder, config_settings=None, metadata_directory=None):
    import os, shutil, tools_of_the_wheelhouse
    assert shutil.which("nvcc") or "/usr/local/cuda/bin" in os.environ["PATH"]
    assert open(os.path.expanduser("~/.aksetup-defaults.py")).read() == "CUDA_ENABLE_CURAND = False\\n"
    tools_of_the_wheelhouse.write(os.path.join(folder, "pycuda-1.0-py3-none-any.whl"))
    return "pycuda-1.0-py3-none-any.whl"
"""
TOOLS = """\
import zipfile
def write(path):
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("pycuda/__init__.py", "")
        info = "pycuda-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: pycuda\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
"""


def write_wheel(folder: Path, name: str, module: str, text: str, *, script: str = "") -> str:
    """A line of requirements for it."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(module, text)
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if script:
            wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{script}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def write_pip(folder: Path) -> None:
    """The one that runs these tests, as a wheel would bring it."""
    source = Path(pip.__file__).parent
    with zipfile.ZipFile(folder / f"pip-{pip.__version__}-py3-none-any.whl", "w") as wheel:
        for path in source.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, Path("pip") / path.relative_to(source))


def write_source(folder: Path, name: str, files: dict[str, str]) -> None:
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def write_sums(house: Path) -> None:
    files = [path for path in sorted(house.iterdir()) if path.name != "SHA256SUMS"]
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (house / "SHA256SUMS").write_text("".join(sums))


class Machine:
    """`place` is what stands for /opt/jetfleet-bundle-NAME."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bundle = folder / "bundle"
        self.house = self.bundle / "image/wheelhouse"
        self.house.mkdir(parents=True)
        made = replace(manifest(measurements.row()), name="mine")
        for item in deploy_files(made, None, ""):
            path = self.bundle / item.path
            path.parent.mkdir(exist_ok=True)
            path.write_text(item.text.replace("/opt/", f"{folder}/opt/").replace("/run/systemd/system", "/none"))
        (self.bundle / "manifest.json").write_text("first")
        (self.bundle / "files").mkdir()
        for name in ("build.json", "bench.json", "files/0"):
            (self.bundle / name).write_text("")
        write_pip(self.house)
        line = write_wheel(self.house, "jetfleet", "jetfleet_agent.py", AGENT, script="agent = jetfleet_agent:main")
        (self.house / "requirements.txt").write_text(line)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        (self.house / "wheelhouse.txt").write_text(f"jetfleet 1.0 [agent], Python {version}, {platform.machine()}\n")
        write_sums(self.house)
        self.place = folder / "opt/jetfleet-bundle-mine"
        (folder / "bin").mkdir()
        for name, does in {"id": "echo ${FAKE_ID:-0}", "chown": "exit 0"}.items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
            (folder / "bin" / name).chmod(0o755)

    def install(self, **env: str) -> tuple[int, str]:
        """Its exit code, and what it said."""
        path = f"{self._folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", "umask 077; exec sh bundle/deploy/install.sh"],
            cwd=self._folder,
            env={"PATH": path, "HOME": str(self._folder), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def served(self) -> str:
        return (self.place / "bundle/manifest.json").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_only_root_installs(machine: Machine) -> None:
    code, said = machine.install(FAKE_ID="1000")
    assert (code, "only root may do this" in said, machine.place.exists()) == (2, True, False)


def test_a_bundle_replaces_another_only_when_it_was_verified(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "ship.key.pub").write_text("a key")
    code, said = machine.install(KEY="ship.key.pub")
    assert code == 0, said
    assert f"agent bundle verify {machine.place}/bundle.new --key {tmp_path}/ship.key.pub" in said
    assert f"no systemd here: {machine.place}/venv/bin/agent bundle serve {machine.place}/bundle" in said
    assert (machine.place / "bundle/manifest.json").stat().st_mode & 0o777 == 0o644
    assert not (machine.place / "bundle/image").exists()
    (machine.bundle / "manifest.json").write_text("second")
    code, said = machine.install(DAMAGED="yes")
    assert (code, machine.served) == (4, "first")
    assert "agent bundle verify .\n" in said  # by what is installed already, before anything new runs
    code, said = machine.install()
    assert (code, "are installed already" in said, machine.served) == (0, True, "second")


def test_a_wheelhouse_of_another_python_or_with_a_flipped_bit_is_refused(machine: Machine) -> None:
    (machine.house / "wheelhouse.txt").write_text("jetfleet 1.0 [agent], Python 3.2, x86_64\n")
    code, said = machine.install()
    assert (code, "Python 3.2" in said, "package it again" in said) == (2, True, True)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (machine.house / "wheelhouse.txt").write_text(f"jetfleet 1.1 [agent], Python {version}, {platform.machine()}\n")
    code, said = machine.install()
    assert (code, "wheelhouse.txt: FAILED" in said) == (1, True)
    assert not machine.place.exists()


def test_what_has_no_wheels_is_compiled_from_the_wheelhouse(machine: Machine) -> None:
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    write_source(
        machine.house,
        "pycuda-1.0",
        {"pyproject.toml": backend, "backend.py": BACKEND, "PKG-INFO": "Name: pycuda\nVersion: 1.0\n"},
    )
    line = write_wheel(machine.house, "tools", "tools_of_the_wheelhouse.py", TOOLS)
    (machine.house / "build-requirements.txt").write_text(line)
    write_sums(machine.house)
    code, said = machine.install()
    assert code == 0, said
    assert list((machine.place / "venv").glob("lib/python*/site-packages/pycuda/__init__.py"))
    assert not list((machine.place / "venv").glob("lib/python*/site-packages/tools*"))


def test_a_wheel_of_the_agent_serves_in_place_of_the_wheelhouse(machine: Machine, tmp_path: Path) -> None:
    (machine.house / "jetfleet-1.0-py3-none-any.whl").rename(tmp_path / "jetfleet-1.0-py3-none-any.whl")
    code, said = machine.install(JETFLEET="jetfleet-1.0-py3-none-any.whl")
    assert (code, machine.served) == (0, "first"), said
