"""Who an agent is, and the locks that keep it alone."""

from pathlib import Path

import pytest

from agent.daemon.identity import device_id, lock_state_dir
from jetfleet.errors import StateLocked


def test_a_device_id_is_made_once(tmp_path: Path) -> None:
    first = device_id(tmp_path)
    assert device_id(tmp_path) == first
    assert len(first) == 32
    (tmp_path / "other").mkdir()
    assert device_id(tmp_path / "other") != first


def test_a_state_folder_has_one_owner(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "for me"
    with lock_state_dir(folder), pytest.raises(StateLocked, match="another agent owns"), lock_state_dir(folder):
        raise AssertionError("two agents own one folder")
    with lock_state_dir(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
