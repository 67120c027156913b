"""Files and the table that tells of them: what came another way, and what went without a word."""

import hashlib
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.client.transfer import Transfer
from controller.service.context import open_context
from controller.service.files import missing_files
from controller.service.options import ServeOptions
from jetfleet.blobs import BlobDir
from jetfleet.errors import NotFound
from jetfleet.transport import open_channel
from testing.processes import ControllerProcess
from tests.faults.evidence import query

BYTES = b"a few bytes"
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(BYTES)
    return made


async def test_a_file_that_came_another_way_is_noticed(tmp_path: Path, path: Path) -> None:
    service = open_context(ServeOptions(tmp_path))
    try:
        assert await missing_files(service, [SHA256]) == [SHA256]
        BlobDir(tmp_path / "blobs").put_file(path)
        assert await missing_files(service, [SHA256]) == []
    finally:
        service.close()
    assert query(tmp_path, "SELECT sha256, size_bytes, state FROM blob") == [(SHA256, len(BYTES), "STORED")]


def test_a_file_that_is_gone_is_told_and_can_come_again(
    controller: ControllerProcess, client: Client, path: Path, tmp_path: Path
) -> None:
    with open_channel(client.address, None) as channel:
        transfer = Transfer(channel, address=client.address, timeout_s=30, patience_s=30)
        transfer.upload({SHA256: path})
        assert query(controller.state_dir, "SELECT state FROM blob") == [("STORED",)]
        BlobDir(controller.state_dir / "blobs").path(SHA256).unlink()
        with pytest.raises(NotFound):
            transfer.download(SHA256, tmp_path / "again")
        assert query(controller.state_dir, "SELECT state FROM blob WHERE state != 'STORED'") != []  # asked for, or lost
        assert transfer.upload({SHA256: path}) == len(BYTES)
        assert query(controller.state_dir, "SELECT state FROM blob") == [("STORED",)]
