"""The doctor's line on what the helper can set: a real helper, none, and one that does not answer."""

from dataclasses import replace
from pathlib import Path

from agent.doctor.check import CheckContext, read_context
from agent.doctor.helper import settings
from testing.boards.jetson import jetson
from testing.helper_process import HelperProcess
from testing.restore_trials import TrialBoard


def context(socket: Path, tmp_path: Path, **changes: object) -> CheckContext:
    return replace(read_context(Path("/"), env={"JETFLEET_HELPER": str(socket)}, state_dir=tmp_path), **changes)


def test_what_it_can_set_is_told(helper: HelperProcess, tmp_path: Path) -> None:
    found = settings(context(helper.socket, tmp_path))
    assert found.state == "ok"
    assert (
        found.found == "power modes 15W, 25W, MAXN_SUPER, 10W; locks the clocks of cpu, gpu, emc; 7W only by a reboot"
    )


def test_a_board_without_nvpmodel_sets_no_mode(board: TrialBoard, helper: HelperProcess, tmp_path: Path) -> None:
    (board.root / "usr/sbin/nvpmodel").unlink()
    found = settings(context(helper.socket, tmp_path))
    assert (found.state, found.fix) == ("warn", "sudo nvpmodel -q")


def test_no_helper(tmp_path: Path) -> None:
    plain = context(tmp_path / "none.sock", tmp_path)
    assert settings(plain).state == "skip"
    on_jetson = settings(replace(plain, l4t="36.4.3", container="none"))
    assert on_jetson.state == "warn"
    assert "agent install" in on_jetson.fix
    confined = settings(replace(plain, l4t="36.4.3", container="docker"))
    assert "/run/jetfleet" in confined.fix


def test_one_that_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "dead.sock").write_text("")
    found = settings(context(tmp_path / "dead.sock", tmp_path))
    assert (found.state, "systemctl start" in found.fix) == ("warn", True)


def test_files_of_another_machine_have_none_to_ask(tmp_path: Path) -> None:
    root = jetson("orin-nx-16gb", "6.2").write(tmp_path / "root")
    assert settings(read_context(root, env={}, state_dir=tmp_path)).state == "skip"
