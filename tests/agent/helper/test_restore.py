"""After kill -9 of helper, nvpmodel or agent every file of a constructed board is as before. Long form: make bench."""

from pathlib import Path

import pytest

from testing.restore_trials import (
    asker_killed,
    changes_of_mode,
    count_steps,
    delays,
    first_of_restoring,
    killed_after,
    killed_at,
    killed_in_nvpmodel,
    told_to_end,
)

EVERY = 6  # step of the scenario; `make bench BARS=restore` takes each
RESTORING = 38


@pytest.mark.parametrize("offset", range(3))
def test_the_helper_killed_at_a_step(tmp_path: Path, offset: int) -> None:
    steps = count_steps(tmp_path / "count")
    assert steps > RESTORING
    for step in range(1 + offset * 2, steps + 1, EVERY):
        assert killed_at(tmp_path / str(step), step).differs == {}, step


def test_without_the_next_helper_the_board_would_stay_changed(tmp_path: Path) -> None:
    assert killed_at(tmp_path / "board", 20, restart=False).differs


def test_the_next_helper_killed_while_it_restores(tmp_path: Path) -> None:
    all_set, restoring = first_of_restoring(tmp_path / "count")
    assert restoring > 10
    for again_at in (1, 2, restoring // 2, restoring - 1, restoring):
        assert killed_at(tmp_path / str(again_at), all_set, again_at=again_at).differs == {}, again_at


@pytest.mark.parametrize("change", [1, 5, 8, 14])
def test_nvpmodel_and_the_helper_killed_in_the_middle_of_a_mode(tmp_path: Path, change: int) -> None:
    assert change < changes_of_mode()
    assert killed_in_nvpmodel(tmp_path / "board", change).differs == {}


def test_the_agent_killed(tmp_path: Path) -> None:
    assert asker_killed(tmp_path / "board").differs == {}


@pytest.mark.parametrize("delay_s", delays(4, longest_s=0.6))
def test_the_helper_killed_at_any_instruction(tmp_path: Path, delay_s: float) -> None:
    assert killed_after(tmp_path / "board", delay_s).differs == {}


def test_a_helper_that_is_told_to_end_restores_first(tmp_path: Path) -> None:
    """As systemd stops it: an uninstall must not leave a board in a mode that nobody chose."""
    board = told_to_end(tmp_path / "board")
    assert board.differs == {}
    assert not (board.state / "notes/restore.json").exists()
