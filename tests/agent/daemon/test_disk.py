"""When a state folder cannot be worked in, and what is dropped before an agent gives up: no root and no disk needed."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.daemon.disk import StateDisk, is_of_the_disk
from agent.daemon.identity import device_id, write_device_id
from agent.daemon.spool import Spool
from jetfleet.blobs import BlobDir, sha256_file
from jetfleet.errors import BadInput, DiskFull
from jetfleet.v1.task_pb2 import Artifact, Built, Outcome

GIB = 1 << 30


class Folder:
    """A state folder on a disk whose room is made up."""

    def __init__(self, root: Path) -> None:
        self.path = root / "state"
        self.path.mkdir()
        self.blobs, self.spool = BlobDir(self.path / "blobs"), Spool(self.path / "spool")
        self.free, self.size, self.may_drop = GIB, 4 * GIB, True
        self.disk = StateDisk(
            self.path,
            blobs=self.blobs,
            spool=self.spool,
            may_drop=lambda: self.may_drop,
            free_bytes=lambda _: (self.free, self.size),
        )

    def put(self, root: Path, content: str) -> str:
        path = root / "file"
        path.write_text(content)
        return self.blobs.put_file(path, sha256_file(path))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_folder_with_room_has_no_fault(folder: Folder) -> None:
    assert folder.disk.fault() == ""
    folder.free, folder.size = 1 << 20, 8 << 20  # little, and yet an eighth of a small disk
    assert folder.disk.fault() == ""


def test_short_of_room_the_cache_goes_first_and_pending_results_stay(folder: Folder, tmp_path: Path) -> None:
    engine, cached = folder.put(tmp_path, "an engine"), folder.put(tmp_path, "kept to save a download")
    folder.spool.put("t1", Outcome(built=Built(engine=Artifact(sha256=engine))))
    folder.free, folder.may_drop = 1 << 20, False
    assert folder.disk.fault() == f"{folder.path} has 1 MiB left on its disk"
    assert folder.blobs.has(cached)  # the work in hand may need it
    folder.may_drop = True
    assert folder.disk.fault() == f"{folder.path} has 1 MiB left on its disk"
    assert (folder.blobs.has(engine), folder.blobs.has(cached)) == (True, False)
    folder.free = GIB
    assert folder.disk.fault() == ""


def gone(path: Path) -> None:
    shutil.rmtree(path)


def taken(path: Path) -> None:
    write_device_id(path, "of somebody else")


@pytest.mark.parametrize(("happens", "told"), [(gone, "is gone"), (taken, "belongs to another device by now")])
def test_a_folder_that_is_not_ours_any_more(folder: Folder, happens: Callable[[Path], None], told: str) -> None:
    happens(folder.path)
    assert told in folder.disk.fault()


def test_an_emptied_folder_is_laid_out_again_for_the_same_device(folder: Folder) -> None:
    before = device_id(folder.path)
    shutil.rmtree(folder.path)
    folder.path.mkdir()
    assert folder.disk.fault() == ""
    assert device_id(folder.path) == before
    folder.spool.put("t1", Outcome())
    assert folder.spool.tokens() == ["t1"]


def test_after_a_failed_write_it_is_tried_again_before_anything_else(folder: Folder) -> None:
    folder.disk.suspect(OSError(errno.EDQUOT, "Disk quota exceeded"))
    probe = folder.path / "probe.part"
    probe.symlink_to("/dev/full")
    assert folder.disk.fault() == f"cannot write to {folder.path}: No space left on device"
    assert folder.disk.fault() == ""  # the symbolic link is gone, and the disk takes it


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (DiskFull("no space left"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (BadInput("no"), False),
    ],
)
def test_what_comes_from_the_disk(error: Exception, found: bool) -> None:
    assert is_of_the_disk(error) == found
