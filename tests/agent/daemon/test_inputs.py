"""Files of a task on their way to the child: what is damaged is never used, wherever it came from."""

import hashlib
from pathlib import Path

import pytest

from agent.daemon.inputs import _is_here
from jetfleet.blobs import BlobDir

CONTENT = b"an engine"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def beside(tmp_path: Path) -> BlobDir:
    """The BlobDir of a controller on this machine."""
    blobs = BlobDir(tmp_path / "controller")
    (tmp_path / "file").write_bytes(CONTENT)
    blobs.put_file(tmp_path / "file")
    return blobs


def test_a_file_beside_is_taken_by_link(tmp_path: Path, beside: BlobDir) -> None:
    blobs = BlobDir(tmp_path / "agent")
    assert _is_here(SHA256, blobs, beside.root)
    assert blobs.path(SHA256).stat().st_ino == beside.path(SHA256).stat().st_ino


def test_a_damaged_file_beside_is_not_used(tmp_path: Path, beside: BlobDir) -> None:
    beside.path(SHA256).chmod(0o600)
    beside.path(SHA256).write_bytes(b"an angine")
    blobs = BlobDir(tmp_path / "agent")
    assert not _is_here(SHA256, blobs, beside.root)
    assert not blobs.has(SHA256)


def test_without_a_folder_beside_it_must_be_fetched(tmp_path: Path) -> None:
    assert not _is_here(SHA256, BlobDir(tmp_path / "agent"), None)
