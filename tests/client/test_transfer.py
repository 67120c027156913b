"""Files to and from a real blob store: only what is missing, from where it stopped, and never the wrong bytes."""

import hashlib
import os
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.client.transfer import Transfer
from jetfleet.blobs import BLOCK_BYTES, CHUNK_BYTES, BlobDir
from jetfleet.errors import BadInput, NotFound
from jetfleet.transport import open_channel
from testing.processes import ControllerProcess

SIZE = 3 * CHUNK_BYTES + 17


@pytest.fixture
def blob(tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "blob.bin"
    path.write_bytes(os.urandom(SIZE))
    return hashlib.sha256(path.read_bytes()).hexdigest(), path


@pytest.fixture
def store(controller: ControllerProcess) -> BlobDir:
    """The controller's own folder, to look into behind its back."""
    return BlobDir(controller.state_dir / "blobs")


@pytest.fixture
def transfer(client: Client) -> Transfer:
    channel = open_channel(client.address, None)
    return Transfer(channel, address=client.address, timeout_s=10, patience_s=5)


def test_an_upload_is_stored_once(transfer: Transfer, store: BlobDir, blob: tuple[str, Path]) -> None:
    sha256, path = blob
    seen: list[tuple[int, int]] = []
    assert transfer.upload({sha256: path}, on_progress=lambda *sent: seen.append(sent)) == SIZE
    assert store.path(sha256).read_bytes() == path.read_bytes()
    assert seen[-1] == (SIZE, SIZE)
    assert transfer.upload({sha256: path}) == 0


def test_an_upload_continues_where_it_stopped(transfer: Transfer, store: BlobDir, blob: tuple[str, Path]) -> None:
    sha256, path = blob
    (store.incoming / f"{sha256}.part").write_bytes(path.read_bytes()[: 2 * CHUNK_BYTES])
    seen: list[int] = []
    transfer.upload({sha256: path}, on_progress=lambda sent, _: seen.append(sent))
    assert min(seen) == 2 * CHUNK_BYTES + BLOCK_BYTES
    assert store.has(sha256)


def test_a_damaged_beginning_is_sent_again(transfer: Transfer, store: BlobDir, blob: tuple[str, Path]) -> None:
    sha256, path = blob
    (store.incoming / f"{sha256}.part").write_bytes(b"x" * CHUNK_BYTES)
    transfer.upload({sha256: path})
    assert store.path(sha256).read_bytes() == path.read_bytes()


def test_a_file_that_changed_is_not_sent_for_ever(transfer: Transfer, store: BlobDir, blob: tuple[str, Path]) -> None:
    sha256, path = blob
    path.write_bytes(b"something else" * 1000)
    with pytest.raises(BadInput, match="changed"):
        transfer.upload({sha256: path})
    assert not store.has(sha256)


def test_a_file_that_is_gone_is_named(transfer: Transfer, blob: tuple[str, Path]) -> None:
    sha256, path = blob
    path.unlink()
    with pytest.raises(NotFound, match="cannot read"):
        transfer.upload({sha256: path})


@pytest.mark.parametrize(
    "left",
    [b"", None, b"not of this file", b"x" * (SIZE + 1)],
    ids=["nothing", "its beginning", "something else", "more than there is"],
)
def test_a_download_is_whole_whatever_was_left(
    client: Client, store: BlobDir, blob: tuple[str, Path], tmp_path: Path, left: bytes | None
) -> None:
    sha256, path = blob
    store.put_file(path)
    target = tmp_path / "folder" / "copy.bin"
    target.parent.mkdir()
    part = target.with_name("copy.bin.part")
    part.write_bytes(path.read_bytes()[:CHUNK_BYTES] if left is None else left)
    client.download(sha256, target)
    assert target.read_bytes() == path.read_bytes()
    assert not part.exists()


def test_a_download_of_nothing_leaves_nothing(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        client.download("0" * 64, tmp_path / "copy.bin")
    assert list(tmp_path.glob("copy*")) == []
