"""Rails, temperatures, throttling and clocks of constructed boards: what the telemetry will read."""

from pathlib import Path

import pytest

from agent.device.clocks import all_locked, offline_cpus, read_cpu_clocks, read_gpu_clock
from agent.device.rails import read_rails, total
from agent.device.thermal import over_current_events, read_zones, throttling
from testing.boards.documented import BOARDS, COMBINATIONS
from testing.boards.jetson import jetson
from testing.boards.tree import Tree

everywhere = pytest.mark.parametrize(("board", "jetpack"), COMBINATIONS)
MONITOR = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040/hwmon/hwmon1/"
THERMAL = "sys/class/thermal/"


@everywhere
def test_the_rails_of_a_board_and_their_total(tmp_path: Path, board: str, jetpack: str) -> None:
    rails = read_rails(jetson(board, jetpack).write(tmp_path))
    labels = [label for names in BOARDS[board].rails.values() for label in names if label != "NC"]
    assert [rail.label for rail in rails if rail.label != "VIN"] == labels
    whole = total(rails)
    assert whole is not None
    if board == "thor-t5000":
        assert (whole.of, whole.power_mw) == (("VIN",), 45_000)
    elif board == "agx-orin-64gb":
        assert (whole.of, whole.power_mw) == (tuple(labels), 1000 + 2000 + 3000 + 2000)
    else:
        assert (whole.of, whole.power_mw) == (("VDD_IN",), 6000)


def test_a_rail_that_cannot_be_read_leaves_no_false_total(tmp_path: Path) -> None:
    tree = jetson("agx-orin-64gb", "6.2").put({f"{MONITOR}curr2_input": "garbage"})
    rails = read_rails(tree.write(tmp_path))
    assert [rail.power_mw for rail in rails] == [1000, None, 3000, 2000]
    whole = total(rails)
    assert whole is not None
    assert whole.power_mw is None


def test_no_rails_no_total(tmp_path: Path) -> None:
    assert read_rails(jetson("orin-nano-8gb", "6.2").drop("sys/bus/i2c").write(tmp_path)) == []
    assert total([]) is None


@everywhere
def test_temperatures(tmp_path: Path, board: str, jetpack: str) -> None:
    zones = {zone.name: zone.celsius for zone in read_zones(jetson(board, jetpack).write(tmp_path))}
    junction = "tj-therm" if jetpack == "5" else "tj-thermal"
    assert junction in zones
    assert all(degrees is None or 40 < degrees < 60 for degrees in zones.values())
    assert {name for name, degrees in zones.items() if degrees is None} == {name for name in zones if "cv" in name}


def test_zones_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    tree = Tree({f"{THERMAL}thermal_zone{number}/type": f"z{number}\n" for number in (0, 2, 10)})
    assert [zone.name for zone in read_zones(tree.write(tmp_path))] == ["z0", "z2", "z10"]


@everywhere
def test_a_healthy_board_is_not_slowed_down(tmp_path: Path, board: str, jetpack: str) -> None:
    root = jetson(board, jetpack).write(tmp_path)
    assert set(throttling(root).values()) == {0}
    assert "pwm-fan" not in throttling(root)
    assert set(over_current_events(root).values()) == {0}
    assert len(over_current_events(root)) == 3


def test_throttling_and_over_current(tmp_path: Path) -> None:
    tree = jetson("orin-nano-8gb", "6.2")
    tree.put({f"{THERMAL}cooling_device3/cur_state": "1\n", "sys/class/hwmon/hwmon9/oc3_event_cnt": "17\n"})
    root = tree.write(tmp_path)
    assert [kind for kind, state in throttling(root).items() if state] == ["gpu-throttle-alert"]
    assert over_current_events(root)["instantaneous over-current"] == 17


@everywhere
def test_clocks_that_move_and_clocks_that_are_locked(tmp_path: Path, board: str, jetpack: str) -> None:
    tree = jetson(board, jetpack)
    root = tree.write(tmp_path / "free")
    gpu, cpus = read_gpu_clock(root), read_cpu_clocks(root)
    assert gpu is not None
    assert (gpu.min_hz, gpu.max_hz, gpu.governor) == (306_000_000, 1_020_000_000, "nvhost_podgov")
    assert not gpu.locked
    assert len(cpus) == BOARDS[board].cpus
    assert (cpus[0].name, cpus[0].max_hz) == ("cpu0", 1_728_000_000)
    assert not all_locked(cpus)
    tree.put({f"sys/class/devfreq/{gpu.name}/min_freq": "1020000000\n"})
    tree.put({name: "1728000\n" for name in tree.files if name.endswith("scaling_min_freq")})
    root = tree.write(tmp_path / "locked")
    locked = read_gpu_clock(root)
    assert locked is not None
    assert locked.locked
    assert all_locked(read_cpu_clocks(root))


def test_cores_that_a_power_mode_turned_off(tmp_path: Path) -> None:
    tree = jetson("orin-nano-8gb", "6.2").put({"sys/devices/system/cpu/cpu5/online": "0\n"})
    root = tree.write(tmp_path)
    assert offline_cpus(root) == ["cpu5"]
    assert len(read_cpu_clocks(root)) == 5


def test_a_machine_without_any_of_it(tmp_path: Path) -> None:
    assert (read_gpu_clock(tmp_path), read_cpu_clocks(tmp_path), read_zones(tmp_path)) == (None, [], [])
    assert (throttling(tmp_path), over_current_events(tmp_path), all_locked([])) == ({}, {}, False)


@everywhere
def test_a_container_sees_the_same_clocks_though_not_the_device_tree(tmp_path: Path, board: str, jetpack: str) -> None:
    native = jetson(board, jetpack).write(tmp_path / "native")
    confined = jetson(board, jetpack, container=True).write(tmp_path / "confined")
    assert not (confined / "sys/class/devfreq/15340000.vic/device/of_node/name").exists()
    assert read_gpu_clock(confined) == read_gpu_clock(native)
    assert read_gpu_clock(confined) is not None


def test_a_gpu_is_not_another_engine_whatever_its_folder_is_called(tmp_path: Path) -> None:
    """By its node where the folder says nothing; neither a video engine nor the memory's manager is one."""
    folder = "sys/class/devfreq/"
    others = Tree({f"{folder}{name}/cur_freq": "1\n" for name in ("15340000.vic", "154c0000.nvenc", "bwmgr", "gpu")})
    assert read_gpu_clock(others.write(tmp_path / "others")) is None
    named = Tree({**others.files, f"{folder}odd/device/of_node/name": "ga10b\0", f"{folder}odd/cur_freq": "2\n"})
    clock = read_gpu_clock(named.write(tmp_path / "named"))
    assert clock is not None
    assert (clock.name, clock.current_hz) == ("odd", 2)
