"""A disk that is full: by a limit on the size of files, which any user may set, or as a small file system."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, stop_all

TORCH = """
import torch
class Wide(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(512, 512)
    def forward(self, x):
        return self.linear(x)
def make():
    return Wide()
"""
HOARDER = """
import pathlib, tempfile
def make():
    pathlib.Path(tempfile.gettempdir(), "hoard").write_bytes(bytes(64 << 20))
"""
HIDDEN = HOARDER.replace("    pathlib", "    try: pathlib") + "    except OSError: raise ValueError\n"


def job(folder: Path, source: str) -> Path:
    (folder / "model.py").write_text(source)
    path = folder / "job.yaml"
    path.write_text(
        "apiVersion: jetfleet/v1\nname: wide\n"
        "model: {torch: 'model:make', inputs: {x: {shape: [1, 512]}}}\nvariants: {runtime: [simulated]}\n"
    )
    return path


def run(words: list[str], state: Path, *, file_bytes: int = 0, **env: str) -> "subprocess.CompletedProcess[str]":
    def limit() -> None:
        if file_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    line = [sys.executable, "-m", "controller.cli.main", "--state", str(state), *words]
    return subprocess.run(
        line, preexec_fn=limit, capture_output=True, text=True, env={**os.environ, **env}, timeout=120
    )


def assert_full(done: "subprocess.CompletedProcess[str]") -> None:
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert "no space left" in done.stderr or "file too large" in done.stderr
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB; only root can make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    stop_all(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("source", [TORCH, HOARDER, HIDDEN], ids=["export", "model", "model that hides it"])
@pytest.mark.parametrize("verb", [["submit"], ["export", "--check"]], ids=["submit", "export"])
def test_a_small_disk_is_not_the_models_fault(verb: list[str], source: str, small: Path, tmp_path: Path) -> None:
    path = job(tmp_path, source)
    (small / "filler").write_bytes(bytes(3_600_000))
    assert_full(run([*verb, str(path)], small / "state", TMPDIR=str(small)))


def test_a_full_folder_for_temporary_files_alone(small: Path, tmp_path: Path) -> None:
    path = job(tmp_path, HOARDER)
    assert_full(run(["submit", str(path)], tmp_path / "state", TMPDIR=str(small)))


def test_a_limit_on_files_is_not_the_models_fault(tmp_path: Path) -> None:
    done = run(["submit", str(job(tmp_path, TORCH))], tmp_path / "state", file_bytes=100_000)
    assert_full(done)


def test_an_upload_to_a_full_controller(small: Path, tmp_path: Path) -> None:
    """The files are made elsewhere, and there is no room for them where the controller keeps its own."""
    command = Command(small / "state")
    made = tmp_path / "cache"
    made.mkdir()
    assert command("jobs").returncode == 0
    (small / "state" / "cache").symlink_to(made)
    free = os.statvfs(small)
    (small / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - 900_000))
    done = run(["submit", str(job(tmp_path, TORCH))], small / "state")
    assert done.returncode == 4, done.stderr
    assert "bug" not in done.stderr
    assert "free" in done.stderr


def test_a_backup_and_samples_onto_a_full_disk(
    fleet: Command, model: Callable[..., Path], small: Path, tmp_path: Path
) -> None:
    job_id = fleet("submit", str(model()), "--wait").stdout.split()[0]
    free = os.statvfs(small)
    (small / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize))
    assert_full(run(["backup", str(small / "backup.tar")], fleet.state))
    samples = run(["results", job_id, "--samples", str(small / "s.npz")], fleet.state)
    assert samples.returncode == 4 or "samples of 0" in samples.stderr, samples.stderr
    assert "bug" not in samples.stderr
