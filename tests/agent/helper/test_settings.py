"""Power modes and clocks of constructed boards: set, read back, refused with a reason, and put back."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.device.nvpmodel import read_power_modes
from agent.helper.board import Board
from agent.helper.gpus import NvmlClocks
from agent.helper.holder import Holder
from agent.helper.note import NoteFile
from agent.helper.protocol import HelperRequest
from agent.helper.settings import HeldSettings, SettingRefused
from agent.helper.verbs import Verbs
from testing.boards.jetson import jetson
from testing.boards.sensors import workstation_clocks
from testing.boards.settable import NVPMODEL, contents, write_settable_board
from testing.boards.tree import Tree

GPU = "sys/class/devfreq/17000000.gpu"
BOOT = "proc/sys/kernel/random/boot_id"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_settable_board(tmp_path / "root")


def settings_of(root: Path, **how: Callable[[str], None]) -> HeldSettings:
    board = Board(root, nvpmodel=root / NVPMODEL, **how)
    return HeldSettings(board, NoteFile(root.parent / "notes"), NvmlClocks(root))


def number(root: Path, name: str) -> int:
    return int((root / name).read_text())


def test_a_mode_is_set_by_its_number_and_read_back(root: Path) -> None:
    settings = settings_of(root)
    assert settings.set_mode(1) == "25W"
    assert settings.read()["mode"] == "25W"
    assert number(root, f"{GPU}/max_freq") == 918000000


def test_what_can_be_set_without_a_reboot_is_told(root: Path) -> None:
    found = settings_of(root).read()
    assert found["settable"] == ["15W", "25W", "MAXN_SUPER", "10W"]
    assert (found["lockable"], found["locked"]) == (["cpu", "gpu", "emc"], [])


@pytest.mark.parametrize(("mode", "why"), [(9, "has no power mode 9; it has 0 15W"), (4, "needs a reboot")])
def test_a_mode_that_is_refused_changes_nothing(root: Path, mode: int, why: str) -> None:
    before = contents(root)
    with pytest.raises(SettingRefused, match=why):
        settings_of(root).set_mode(mode)
    assert contents(root) == before
    assert not (root.parent / "notes/restore.json").exists()


def test_nvpmodel_that_asks_for_a_reboot_is_not_answered(root: Path) -> None:
    """A configuration that does not show it: the program's own word counts."""
    conf = root / "etc/nvpmodel.conf"
    conf.write_text(conf.read_text().replace("TPC_POWER_GATING TPC_PG_MASK 252", "TPC_POWER_GATING TPC_PG_MASK 0"))
    before = contents(root)
    with pytest.raises(SettingRefused, match="nvpmodel asked for one"):
        settings_of(root).set_mode(4)
    assert contents(root) == before


def test_a_mode_that_is_not_in_force_afterwards_is_refused_and_the_board_put_back(root: Path) -> None:
    program = root / NVPMODEL
    program.write_text(program.read_text().replace('"pmode:0001', '"pmode:0000'))
    before = contents(root)
    with pytest.raises(SettingRefused, match="25W was set, but 15W is in force"):
        settings_of(root).set_mode(1)
    assert contents(root) == before


def test_a_mode_is_not_left_that_could_not_be_restored(root: Path) -> None:
    (root / "var/lib/nvpmodel/status").write_text("nothing\n")
    with pytest.raises(SettingRefused, match="is not known"):
        settings_of(root).set_mode(1)


def test_the_mode_in_force_needs_no_change_and_no_note(root: Path) -> None:
    settings = settings_of(root)
    assert settings.set_mode(0) == "15W"
    assert not settings.is_held


def test_clocks_are_locked_at_the_most_that_the_mode_allows(root: Path) -> None:
    settings = settings_of(root)
    settings.set_mode(1)
    assert settings.lock_clocks() == {}
    assert {number(root, f"{GPU}/{bound}_freq") for bound in ("min", "max")} == {918000000}
    cpus = [root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq" for cpu in range(6)]
    assert {int((folder / "scaling_min_freq").read_text()) for folder in cpus} == {1344000}
    emc = "sys/kernel/debug/bpmp/debug/clk/emc"
    assert (number(root, f"{emc}/rate"), number(root, f"{emc}/mrq_rate_locked")) == (3199000000, 1)
    assert settings.read()["locked"] == ["cpu", "gpu", "emc"]


def test_what_a_person_had_locked_is_locked_again(root: Path) -> None:
    (root / f"{GPU}/min_freq").write_text("612000000\n")
    before = contents(root)
    settings = settings_of(root)
    settings.set_mode(2)
    settings.lock_clocks()
    assert settings.restore() == []
    assert contents(root) == before


def test_a_note_of_another_boot_restores_the_mode_alone(root: Path) -> None:
    settings = settings_of(root)
    settings.set_mode(3)
    settings.lock_clocks()
    (root / BOOT).write_text("0f0e0d0c-0000-4000-8000-000000000002\n")
    assert settings.restore() == []
    assert read_power_modes(root).current == "15W"
    assert number(root, f"{GPU}/min_freq") == 408000000


def test_what_cannot_be_put_back_is_told_and_tried_again(root: Path) -> None:
    settings = settings_of(root)
    settings.lock_clocks()
    path = root / f"{GPU}/min_freq"
    path.unlink()
    path.mkdir()
    assert settings.restore() == [f"{GPU}/min_freq"]
    assert settings.is_held
    path.rmdir()
    path.write_text("0\n")
    assert settings.restore() == []
    assert (number(root, f"{GPU}/min_freq"), settings.is_held) == (306000000, False)


def test_a_damaged_note_is_set_aside(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = root.parent / "notes"
    folder.mkdir()
    (folder / "restore.json").write_text('{"values": 1}')
    assert settings_of(root).restore() == []
    assert (folder / "restore.damaged").exists()
    assert "cannot be restored" in caplog.text


def test_the_note_is_on_disk_before_anything_changes(root: Path) -> None:
    before, seen = contents(root), []

    def look(name: str) -> None:
        if not seen and contents(root) != before:
            seen.append(json.loads((root.parent / "notes/restore.json").read_text())["mode"])

    settings_of(root, step=look).set_mode(1)
    assert seen == ["15W"]


def test_a_machine_without_clocks_that_can_be_set_is_refused(tmp_path: Path) -> None:
    root = Tree({BOOT: "a\n"}).write(tmp_path / "root")
    with pytest.raises(SettingRefused, match="cpu: there is none that can be set"):
        settings_of(root).lock_clocks()
    assert not (tmp_path / "notes/restore.json").exists()


def test_a_workstation_locks_its_cpus(tmp_path: Path) -> None:
    root = Tree(workstation_clocks()).write(tmp_path / "root")
    before = contents(root)
    settings = settings_of(root)
    assert list(settings.lock_clocks()) == ["gpu", "emc"]
    assert number(root, "sys/devices/system/cpu/cpufreq/policy1/scaling_min_freq") == 4200000
    assert settings.restore() == []
    assert contents(root) == before


def test_a_thor_locks_its_memory_clock_too(tmp_path: Path) -> None:
    bwmgr = "sys/class/devfreq/bwmgr"
    tree = jetson("thor-t5000", "7.1").put({f"{bwmgr}/min_freq": "204000000\n", f"{bwmgr}/max_freq": "4266000000\n"})
    root = tree.write(tmp_path / "root")
    assert settings_of(root).lock_clocks() == {}
    assert number(root, f"{bwmgr}/min_freq") == 4266000000


def test_what_is_set_belongs_to_the_process_that_asked(root: Path) -> None:
    holder, me, other = Holder(), os.getpid(), os.getppid()
    verbs = Verbs(settings_of(root), holder)
    assert verbs.answer(HelperRequest("set-mode", 1), pid=me)["ok"]
    for verb, mode in (("set-mode", 2), ("lock-clocks", None), ("restore", None)):
        refused = verbs.answer(HelperRequest(verb, mode), pid=other)
        assert not refused["ok"]
        assert f"process {me} has set this board" in refused["error"]
    assert verbs.answer(HelperRequest("read-mode"), pid=other)["mode"] == "25W"
    assert verbs.answer(HelperRequest("restore"), pid=me) == {"ok": True, "left": []}
    assert verbs.answer(HelperRequest("set-mode", 2), pid=other)["ok"]
    holder.leave()


def test_files_that_modes_set_are_only_those_below_sys(root: Path) -> None:
    conf = root / "etc/nvpmodel.conf"
    conf.write_text("< PARAM TYPE=FILE NAME=X >\nA /etc/shadow\nB /sys/../etc/shadow\nC /sys/x\n" + conf.read_text())
    files = read_power_modes(root).files
    assert "sys/x" in files
    assert not [name for name in files if "shadow" in name]
    assert "sys/devices/gpu.0/tpc_pg_mask" not in files
