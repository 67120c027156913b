"""What the questions about files say on constructed boards."""

import time
from pathlib import Path

import pytest

from agent.doctor.check import read_context
from agent.doctor.settle.child import ask
from agent.doctor.settle.questions import QUESTIONS
from testing.boards.documented import COMBINATIONS
from testing.boards.jetson import jetson
from testing.boards.tree import Tree

RAIL = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040/hwmon/hwmon1/"


def asked(name: str, tree: Tree, root: Path) -> tuple[bool, str]:
    written = tree.write(root)
    return ask(QUESTIONS[name], read_context(written, env={}, state_dir=root / "state"))


def orin(jetpack: str = "6.2") -> Tree:
    return jetson("orin-nx-16gb", jetpack)


@pytest.mark.parametrize(("board", "jetpack"), COMBINATIONS)
def test_every_board_answers_what_stands_in_files(tmp_path: Path, board: str, jetpack: str) -> None:
    tree = jetson(board, jetpack)
    names = [name for name, question in QUESTIONS.items() if not question.live]
    found = {name: asked(name, tree, tmp_path / name.replace("/", "_")) for name in names}
    assert [name for name, (told, _) in found.items() if not told] == []
    assert "nvmap" in found["device nodes"][1]


def test_an_empty_tree_answers_or_says_why(tmp_path: Path) -> None:
    for name, question in QUESTIONS.items():
        if not question.live:
            assert asked(name, Tree(), tmp_path / name.replace("/", "_"))[1]


def test_the_averaging_of_a_monitor_is_told(tmp_path: Path) -> None:
    tree = orin().put({f"{RAIL}update_interval": "36\n", f"{RAIL}samples": "64\n"})
    told = asked("power monitors", tree, tmp_path)[1]
    assert "1-0040 [VDD_IN, VDD_CPU_GPU_CV, VDD_SOC] update_interval 36, samples 64" in told


def test_rails_are_held_against_their_input(tmp_path: Path) -> None:
    assert "VDD_IN 6000 mW against 5000 mW of the others" in asked("rails", orin(), tmp_path / "nx")[1]
    agx = asked("rails", jetson("agx-orin-64gb", "6.2"), tmp_path / "agx")[1]
    assert "sum of all 8000 mW; VIN_SYS_5V0 3000 mW against 5000 mW of the others" in agx
    assert asked("rails", orin().drop("sys/bus/i2c"), tmp_path / "none") == (False, "no power rail can be read here")


def test_the_memory_clock_is_told_or_why_not(tmp_path: Path) -> None:
    readable = orin().put({"sys/kernel/debug/bpmp/debug/clk/emc/rate": "3199000000\n"})
    assert "emc/rate 3199000000" in asked("EMC", readable, tmp_path / "root")[1]
    assert "emc/rate (No such file or directory)" in asked("EMC", orin(), tmp_path / "user")[1]


def test_power_modes_by_id_and_name(tmp_path: Path) -> None:
    told = asked("power modes", jetson("orin-nano-8gb-super", "6.2"), tmp_path)[1]
    assert told.startswith("0 15W, 1 25W, 2 MAXN_SUPER")
    assert "default " in told


@pytest.mark.parametrize("above", ["", "13e40000.host1x/", "bus@0/13e00000.host1x/"])
def test_a_dlas_state_is_found_where_kernels_put_it(tmp_path: Path, above: str) -> None:
    tree = orin().put({f"sys/devices/platform/{above}15880000.nvdla0/power/runtime_status": "suspended\n"})
    assert asked("DLA state", tree, tmp_path)[1].startswith("15880000.nvdla0 suspended; ")


def test_an_rtc_of_1970_is_named(tmp_path: Path) -> None:
    rtc = {"sys/class/rtc/rtc0/name": "tegra_rtc\n", "sys/class/rtc/rtc0/since_epoch": "1234\n"}
    told = asked("RTC", orin().put({**rtc, "sys/class/rtc/rtc0/hctosys": "1\n"}), tmp_path / "old")[1]
    assert "rtc0 tegra_rtc (read at boot)" in told
    assert "so old that it would rewind the clock" in told
    rtc["sys/class/rtc/rtc0/since_epoch"] = f"{int(time.time())}\n"
    assert "rewind" not in asked("RTC", orin().put(rtc), tmp_path / "right")[1]


def test_the_containers_mode_is_told(tmp_path: Path) -> None:
    config = {"etc/nvidia-container-runtime/config.toml": '[nvidia-container-runtime]\nmode = "cdi"\n'}
    told = asked("container toolkit", orin().put(config).put({"var/run/cdi/nvidia.yaml": ""}), tmp_path / "cdi")[1]
    assert 'mode = "cdi"; csv: devices.csv, drivers.csv; CDI: nvidia.yaml' in told
    told = asked("container toolkit", jetson("orin-nx-16gb", "6.2", container=True), tmp_path / "box")
    assert told == (False, "only the host can see it")


def test_the_lean_runtime_is_looked_for(tmp_path: Path) -> None:
    tree = orin().put({"usr/lib/aarch64-linux-gnu/libnvinfer_lean.so.10": b"x"})
    told = asked("TensorRT", tree, tmp_path)[1]
    assert "libnvinfer_lean.so*: libnvinfer_lean.so.10" in told
    assert "libnvinfer_vc_plugin.so*: none" in told


def test_commands_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert asked("jetson_clocks --show", orin(), tmp_path / "a") == (False, "jetson_clocks is not installed here")
    tool = tmp_path / "jetson_clocks"
    tool.write_text("#!/bin/sh\necho GPU 1\necho no >&2\nexit 7\n")
    tool.chmod(0o755)
    assert asked("jetson_clocks --show", orin(), tmp_path / "b") == (True, "exit code 7: GPU 1 | no")
