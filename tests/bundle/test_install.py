"""install.sh of a bundle, run for real but for three things: it is told that it is root, installs below a folder of the
test, and its wheelhouse holds stand-ins: an agent that says what it was asked, and a pycuda that compiles nothing.
"""

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pip
import pytest

from controller.bundle.deploy import deploy_files
from controller.bundle.write import seal
from jetfleet.bundle_signature import make_key, sign
from testing import measurements
from tests.bundle.test_package import manifest
from tests.docs.blocks import blocks

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
        (self.bundle / "files").mkdir()
        for name in ("build.json", "bench.json", "files/0"):
            (self.bundle / name).write_text("")
        write_pip(self.house)
        line = write_wheel(self.house, "jetfleet", "jetfleet_agent.py", AGENT, script="agent = jetfleet_agent:main")
        (self.house / "requirements.txt").write_text(line)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        (self.house / "wheelhouse.txt").write_text(f"jetfleet 1.0 [agent], Python {version}, {platform.machine()}\n")
        write_sums(self.house)
        self._manifest = made
        make_key(folder / "ship.key")
        self.seal("first")
        self.place = folder / "opt/jetfleet-bundle-mine"
        (folder / "bin").mkdir()
        for name, does in {"id": "echo ${FAKE_ID:-0}", "chown": "exit 0"}.items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
            (folder / "bin" / name).chmod(0o755)

    def seal(self, model: str = "first") -> None:
        """As `controller package` does last; `model` tells one bundle from another."""
        for name in ("manifest.json", "manifest.sig", "SHA256SUMS"):
            (self.bundle / name).unlink(missing_ok=True)
        seal(self.bundle, replace(self._manifest, model=model), self._folder / "ship.key")

    def lacks(self, tool: str) -> str:
        """A PATH with everything of this machine but that."""
        place = self._folder / "lacking"
        place.mkdir()
        for folder in os.environ["PATH"].split(":"):
            for path in Path(folder).glob("*"):
                if path.name != tool and not (place / path.name).is_symlink():
                    (place / path.name).symlink_to(path)
        return str(place)

    def install(self, **env: str) -> tuple[int, str]:
        """Its exit code, and what it said."""
        tools = env.pop("TOOLS", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        done = subprocess.run(
            ["sh", "-c", "umask 077; exec sh bundle/deploy/install.sh"],
            cwd=self._folder,
            env={"PATH": f"{self._folder}/bin:{tools}", "HOME": str(self._folder), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def served(self) -> str:
        return str(json.loads((self.place / "bundle/manifest.json").read_text())["model"])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_only_root_installs(machine: Machine) -> None:
    code, said = machine.install(FAKE_ID="1000")
    assert (code, "only root may do this" in said, machine.place.exists()) == (2, True, False)


def test_a_bundle_replaces_another_only_when_it_was_verified(machine: Machine, tmp_path: Path) -> None:
    code, said = machine.install(KEY="ship.key.pub")
    assert code == 0, said
    assert f"agent bundle verify {machine.place}/bundle.new --key {tmp_path}/ship.key.pub" in said
    assert f"no systemd here: {machine.place}/venv/bin/agent bundle serve {machine.place}/bundle" in said
    assert (machine.place / "bundle/manifest.json").stat().st_mode & 0o777 == 0o644
    assert not (machine.place / "bundle/image").exists()
    machine.seal("second")
    code, said = machine.install(DAMAGED="yes")
    assert (code, machine.served) == (4, "first")
    # By what is installed already, before anything new runs.
    assert said.count(f"agent bundle verify {machine.place}/bundle.new") == 1
    code, said = machine.install()
    assert (code, "are installed already" in said, machine.served) == (0, True, "second")


def test_a_wheelhouse_of_another_python_or_with_a_flipped_bit_is_refused(machine: Machine) -> None:
    (machine.house / "wheelhouse.txt").write_text("jetfleet 1.0 [agent], Python 3.2, x86_64\n")
    machine.seal()
    code, said = machine.install()
    assert (code, "Python 3.2" in said, "package it again" in said) == (2, True, True)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (machine.house / "wheelhouse.txt").write_text(f"jetfleet 1.1 [agent], Python {version}, {platform.machine()}\n")
    code, said = machine.install()
    assert (code, "wheelhouse.txt: FAILED" in said) == (4, True)
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
    machine.seal()
    code, said = machine.install()
    assert code == 0, said
    assert list((machine.place / "venv").glob("lib/python*/site-packages/pycuda/__init__.py"))
    assert not list((machine.place / "venv").glob("lib/python*/site-packages/tools*"))


def test_a_wheel_of_the_agent_serves_in_place_of_the_wheelhouse(machine: Machine, tmp_path: Path) -> None:
    (machine.house / "jetfleet-1.0-py3-none-any.whl").rename(tmp_path / "jetfleet-1.0-py3-none-any.whl")
    write_sums(machine.house)
    machine.seal()
    code, said = machine.install(JETFLEET="jetfleet-1.0-py3-none-any.whl")
    assert (code, machine.served) == (0, "first"), said


PLANTED = """\
import pathlib
pathlib.Path({mark!r}).write_text("ran")
"""


def plant_packages(machine: Machine, mark: Path) -> None:
    """A wheelhouse in a bundle that was signed without one; its pip says that it ran."""
    shutil.rmtree(machine.house)
    machine.seal()
    machine.house.mkdir(parents=True)
    with zipfile.ZipFile(machine.house / "pip-0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pip/__init__.py", "")
        wheel.writestr("pip/__main__.py", PLANTED.format(mark=str(mark)))
    (machine.house / "requirements.txt").write_text("")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (machine.house / "wheelhouse.txt").write_text(f"Python {version}, {platform.machine()}\n")
    write_sums(machine.house)


@pytest.mark.parametrize("env", [{"KEY": "ship.key.pub"}, {}])
def test_no_package_that_nobody_signed_runs(machine: Machine, tmp_path: Path, env: dict[str, str]) -> None:
    plant_packages(machine, tmp_path / "mark")
    code, said = machine.install(**env)
    assert (code, "image/wheelhouse/pip-0-py3-none-any.whl" in said) == (4, True), said
    assert not (tmp_path / "mark").exists()
    assert not machine.place.exists()


def append(machine: Machine, name: str) -> None:
    with (machine.bundle / name).open("a") as file:
        file.write(" ")


def sign_by_another(machine: Machine) -> None:
    make_key(machine.bundle.parent / "other.key")
    sign(machine.bundle, machine.bundle.parent / "other.key")


def list_what_was_planted(machine: Machine) -> None:
    (machine.house / "planted").write_text("")
    with (machine.bundle / "SHA256SUMS").open("a") as file:
        file.write(f"{hashlib.sha256(b'').hexdigest()}  image/wheelhouse/planted\n")


ATTACKS: dict[str, tuple[Callable[[Machine], object], str]] = {
    "another manifest": (lambda machine: append(machine, "manifest.json"), "not of this manifest and this key"),
    "another key": (sign_by_another, "not of this manifest and this key"),
    "no signature": (lambda machine: (machine.bundle / "manifest.sig").unlink(), "is not signed"),
    "half a signature": (lambda machine: (machine.bundle / "manifest.sig").write_text("00"), "this key"),
    "a signature that is text": (lambda machine: (machine.bundle / "manifest.sig").write_text("$(x)"), "not signed"),
    "a list of its own": (list_what_was_planted, "SHA256SUMS is not what the manifest says"),
    "no list": (lambda machine: (machine.bundle / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
    "a damaged file": (lambda machine: append(machine, "build.json"), "build.json: FAILED"),
    "a missing file": (lambda machine: (machine.bundle / "bench.json").unlink(), "bench.json"),
    "a link": (lambda machine: (machine.bundle / "more").symlink_to("/etc"), "links"),
    "a name of two lines": (lambda machine: (machine.bundle / "a\nbuild.json").write_text(""), "not plain ASCII"),
    "a file beside": (lambda machine: (machine.bundle / "venv.py").write_text(""), "not in the manifest: venv.py"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_used_before_signature_and_digests_hold(machine: Machine, attack: str) -> None:
    act, expected = ATTACKS[attack]
    act(machine)
    code, said = machine.install(KEY="ship.key.pub")
    assert (code, expected in said) == (4, True), said
    assert not machine.place.exists()


def test_without_what_verifies_a_key_is_no_use(machine: Machine) -> None:
    tools = machine.lacks("openssl")
    code, said = machine.install(KEY="ship.key.pub", TOOLS=tools)
    assert (code, "neither an agent nor openssl is here" in said) == (4, True), said
    assert not machine.place.exists()
    code, said = machine.install(TOOLS=tools)
    assert (code, "without KEY it is not known who made this bundle" in said) == (0, True), said


def test_what_only_deploys_it_may_have_stayed_behind(machine: Machine) -> None:
    (machine.bundle / "README.md").unlink()
    code, said = machine.install(KEY="ship.key.pub")
    assert (code, machine.served) == (0, "first"), said


@pytest.mark.parametrize("attack", [None, "another manifest", "another key", "a list of its own", "a damaged file"])
def test_the_lines_of_the_document_tell_a_right_bundle_from_others(machine: Machine, attack: str | None) -> None:
    if attack:
        ATTACKS[attack][0](machine)
    (lines,) = [block.text for block in blocks() if block.document == "docs/ship.md" and "pkeyutl" in block.text]
    done = subprocess.run(["sh", "-ec", lines], cwd=machine.bundle.parent, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (attack is None), done
