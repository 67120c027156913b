"""Clocks over a measurement, on constructed boards: what a row says of them, and what a change of them is."""

from pathlib import Path

import pytest

from agent.device.clocks import emc_cap_hz, read_emc_clock
from agent.device.nvml_gpu import NvmlGpu
from agent.telemetry.clocks import (
    ClockReading,
    ClockSensors,
    clock_circumstances,
    clock_flags,
    describe_clocks,
)
from jetfleet.v1.task_pb2 import FLAG_KIND_CLOCK_DRIFT
from testing.boards.documented import COMBINATIONS
from testing.boards.jetson import jetson
from testing.boards.sensors import emc, workstation_clocks
from testing.boards.tree import Tree
from tests.agent.telemetry.nvml import FakeNvml, opened

GPU = "sys/class/devfreq/17000000.gpu/"
CPU0 = "sys/devices/system/cpu/cpu0/cpufreq/"
MHZ = 1_000_000


def orin() -> Tree:
    return jetson("orin-nano-8gb", "6.2")


def circumstances(root: Path, *, on_gpu: bool = True) -> dict[str, str]:
    return clock_circumstances(ClockSensors(root).read(), on_gpu=on_gpu)


def flags(*readings: ClockReading) -> dict[int, str]:
    return {flag.kind: flag.evidence for flag in clock_flags(readings)}


def changed(tmp_path: Path, tree: Tree, files: dict[str, str]) -> dict[int, str]:
    """The flags of a measurement during which these files changed."""
    sensors = ClockSensors(tree.write(tmp_path))
    before = sensors.read()
    Tree().put(files).write(tmp_path)
    return flags(before, sensors.read())


@pytest.mark.parametrize(("board", "jetpack"), COMBINATIONS)
def test_every_board_says_whether_its_clocks_are_free_or_locked(tmp_path: Path, board: str, jetpack: str) -> None:
    tree = jetson(board, jetpack)
    assert circumstances(tree.write(tmp_path / "free")) == {
        "gpu_clocks": "free, 306 to 1020 MHz",
        "cpu_clocks": "free, 730 to 1728 MHz",
        "emc_clocks": "unknown",
    }
    tree.put({name: "1020000000\n" for name in tree.files if name.endswith("/min_freq")})
    tree.put({name: "1728000\n" for name in tree.files if name.endswith("scaling_min_freq")})
    locked = circumstances(tree.write(tmp_path / "locked"))
    assert (locked["gpu_clocks"], locked["cpu_clocks"]) == ("locked at 1020 MHz", "locked at 1728 MHz")


def test_clusters_of_cpus_say_each_what_they_do(tmp_path: Path) -> None:
    root = orin().put({f"{CPU0}scaling_min_freq": "1728000\n"}).write(tmp_path)
    assert circumstances(root)["cpu_clocks"] == "locked at 1728 MHz / free, 730 to 1728 MHz"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (emc(locked=True), "locked at 2133 MHz"),
        (emc(locked=False), "free, 204 to 3199 MHz"),
        ({"sys/kernel/debug/bpmp/debug/clk/emc/rate": "2133000000\n"}, "unknown"),
        ({"sys/kernel/nvpmodel_emc_cap/emc_iso_cap": "2133000000\n"}, "unknown, capped at 2133 MHz"),
        ({"sys/kernel/nvpmodel_clk_cap/emc": "665600000\n"}, "unknown, capped at 666 MHz"),
        ({"sys/kernel/nvpmodel_emc_cap/emc_iso_cap": "0\n"}, "unknown"),
        (
            {
                f"sys/class/devfreq/bwmgr/{key}_freq": f"{hz}\n"
                for key, hz in (("cur", 9), ("min", 665000000), ("max", 665000000))
            },
            "locked at 665 MHz",
        ),
    ],
)
def test_the_memorys_clock_where_it_can_be_read(tmp_path: Path, files: dict[str, str], said: str) -> None:
    assert circumstances(orin().put(files).write(tmp_path))["emc_clocks"] == said


def test_a_workstation_has_clocks_of_cpus_alone_and_one_without_says_unknown(tmp_path: Path) -> None:
    root = Tree().put(workstation_clocks()).write(tmp_path / "x86")
    assert circumstances(root, on_gpu=False) == {"cpu_clocks": "free, 800 to 4200 MHz"}
    (tmp_path / "virtual").mkdir()
    assert circumstances(tmp_path / "virtual", on_gpu=False) == {"cpu_clocks": "unknown"}
    assert circumstances(tmp_path / "virtual") == {"cpu_clocks": "unknown", "gpu_clocks": "unknown"}
    assert (read_emc_clock(root), emc_cap_hz(root)) == (None, None)


def test_offline_groups_of_cpus_do_not_count(tmp_path: Path) -> None:
    policy = "sys/devices/system/cpu/cpufreq/policy1/"
    tree = Tree().put(workstation_clocks()).put({f"{policy}affected_cpus": "\n", f"{policy}scaling_max_freq": "1\n"})
    assert circumstances(tree.write(tmp_path), on_gpu=False) == {"cpu_clocks": "free, 800 to 4200 MHz"}


def test_nothing_that_stays_is_a_flag(tmp_path: Path) -> None:
    assert changed(tmp_path, orin(), {f"{GPU}cur_freq": "312000000\n"}) == {}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {f"{GPU}min_freq": "1020000000\n"},
            "the range of the GPU clock changed from free, 306 to 1020 MHz to locked at 1020 MHz",
        ),
        ({f"{GPU}governor": "userspace\n"}, "the governor of the GPU clock changed from nvhost_podgov to userspace"),
        (
            {f"{CPU0}scaling_max_freq": "1190400\n"},
            "the range of the cpu0 clock changed from free, 730 to 1728 MHz to free, 730 to 1190 MHz",
        ),
    ],
)
def test_a_clock_that_is_set_anew_is_a_drift(tmp_path: Path, files: dict[str, str], said: str) -> None:
    assert changed(tmp_path, orin(), files) == {FLAG_KIND_CLOCK_DRIFT: said}


def test_a_lock_of_the_memory_that_comes_meanwhile_is_a_drift(tmp_path: Path) -> None:
    found = changed(tmp_path, orin().put(emc(locked=False)), emc(locked=True))
    said = "the lock of the EMC clock changed from free, 204 to 3199 MHz to locked at 2133 MHz"
    assert found == {FLAG_KIND_CLOCK_DRIFT: said}


def test_the_record_tells_before_and_after(tmp_path: Path) -> None:
    found = describe_clocks([ClockSensors(orin().write(tmp_path)).read()] * 2)
    assert found["clocks_before"] == found["clocks_after"]
    assert found["clocks_before"].startswith("17000000.gpu 306 MHz (free, 306 to 1020 MHz, nvhost_podgov), cpu0 ")


def test_a_discrete_gpu_is_asked_by_its_address(tmp_path: Path) -> None:
    library = FakeNvml(mhz=1755, reasons=0x1)
    sensors = ClockSensors(tmp_path, pci_address="0000:01:00.0", open_nvml=opened(library))
    assert clock_circumstances(sensors.read(), on_gpu=True)["gpu_clocks"] == "free, up to 1980 MHz"
    sensors.close()
    assert library.closed == 1
    other = ClockSensors(tmp_path, pci_address="0000:02:00.0", open_nvml=opened(library))
    assert clock_circumstances(other.read(), on_gpu=True)["gpu_clocks"] == "unknown"
    other.close()
    assert library.closed == 2, "what was opened for nothing is closed at once"


@pytest.mark.parametrize("old", [False, True])
def test_a_discrete_gpu_that_is_held_or_slowed_says_so(tmp_path: Path, old: bool) -> None:
    library = FakeNvml(mhz=1200, reasons=0x2 | 0x20 | 0x4, old=old)
    sensors = ClockSensors(tmp_path, pci_address="0000:01:00.0", open_nvml=opened(library))
    reading = sensors.read()
    assert clock_circumstances(reading, on_gpu=True)["gpu_clocks"] == "locked at 1200 MHz"
    assert reading.slowed == {"power cap", "thermal slowdown"}


def test_a_library_that_does_not_tell_leaves_it_unknown(tmp_path: Path) -> None:
    sensors = ClockSensors(tmp_path, pci_address="0000:01:00.0", open_nvml=opened(FakeNvml(gone=True)))
    assert clock_circumstances(sensors.read(), on_gpu=True)["gpu_clocks"] == "unknown"

    def missing(name: str) -> object:
        raise OSError("no such library")

    assert NvmlGpu.open("0000:01:00.0", load=missing) is None


def test_a_jetson_does_not_ask_nvml(tmp_path: Path) -> None:
    library = FakeNvml()
    root = orin().write(tmp_path)
    ClockSensors(root, pci_address="0000:01:00.0", open_nvml=opened(library)).close()
    assert library.asked == []
