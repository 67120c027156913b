"""Which channels a machine has, and what they tell: on constructed boards and servers, with a fake NVML, and here."""

import math
import os
from pathlib import Path

import pytest

from agent.telemetry.channels.channel import Channel
from agent.telemetry.channels.found import FoundChannels, find_channels
from testing.boards.documented import BOARDS, COMBINATIONS
from testing.boards.jetson import jetson
from testing.boards.sensors import emc, workstation_clocks
from testing.boards.tree import Tree
from tests.agent.telemetry.nvml import ADDRESS, FakeNvml, opened

everywhere = pytest.mark.parametrize(("board", "jetpack"), COMBINATIONS)
MONITOR = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040/hwmon/hwmon1/"


def read(found: FoundChannels) -> dict[str, float]:
    return {
        channel.name: value
        for sensor in found.sensors
        for channel, value in zip(sensor.channels, sensor.read(), strict=True)
    }


def by_name(found: FoundChannels) -> dict[str, Channel]:
    return {channel.name: channel for channel in found.channels}


def absent(found: FoundChannels) -> dict[str, str]:
    return {item.name: item.why for item in found.absent}


@everywhere
def test_every_board_tells_rails_heat_throttling_clocks_and_fan(tmp_path: Path, board: str, jetpack: str) -> None:
    found = find_channels(jetson(board, jetpack).write(tmp_path))
    told = read(found)
    labels = [label for names in BOARDS[board].rails.values() for label in names if label != "NC"]
    assert {f"power.{label}" for label in labels} <= set(told)
    assert told[f"power.{labels[1]}"] == pytest.approx(2.0)
    assert told["clock.gpu"] == pytest.approx(306)
    assert told["clock.cpu0"] == pytest.approx(729.6)
    assert told["alert.gpu-throttle-alert"] == 0
    assert told["events.average over-current"] == 0
    assert told["fan.pwm"] == 120
    assert 40 < told["temperature.tj-therm" if jetpack == "5" else "temperature.tj-thermal"] < 60
    assert not any("cv" in name for name in told if name.startswith("temperature")), "they are powered off"
    assert ("load.gpu" in told) == (board != "thor-t5000")
    assert "clock.emc" in absent(found)
    assert not any(math.isnan(value) for value in told.values())
    found.close()


@pytest.mark.parametrize(
    ("board", "covers", "part"),
    [
        ("orin-nano-8gb", "VDD_IN, the module's input", "power.VDD_SOC"),
        ("thor-t5000", "VIN, the board's input", "power.VDD_GPU"),
    ],
)
def test_a_total_says_what_it_covers_and_its_parts_are_no_total(
    tmp_path: Path, board: str, covers: str, part: str
) -> None:
    channels = by_name(find_channels(jetson(board, "7.2" if "thor" in board else "6.2").write(tmp_path)))
    assert channels[f"power.{covers.partition(',')[0]}"].covers == covers
    assert channels[part].covers == ""


def test_a_rail_says_its_conversion_time_its_averaging_and_its_smallest_step(tmp_path: Path) -> None:
    rail = by_name(find_channels(jetson("orin-nano-8gb", "6.2").write(tmp_path)))["power.VDD_IN"]
    assert (rail.conversion_s, rail.step_w, rail.every_s) == (0.028, pytest.approx(0.04), 0.1)
    assert rail.source.endswith("in1_input x curr1_input (INA3221 averaging 4)")


def test_a_monitor_that_is_slower_than_the_sampler_is_read_as_slowly(tmp_path: Path) -> None:
    tree = jetson("orin-nano-8gb", "6.2").put({f"{MONITOR}update_interval": "1100\n"})
    assert by_name(find_channels(tree.write(tmp_path)))["power.VDD_IN"].every_s == 1.1


def test_values_follow_the_files_and_an_unreadable_one_is_none(tmp_path: Path) -> None:
    root = jetson("orin-nano-8gb", "6.2").write(tmp_path)
    found = find_channels(root)
    Tree({f"{MONITOR}curr1_input": "2400\n", f"{MONITOR}curr2_input": "garbage"}).write(root)
    told = read(found)
    assert told["power.VDD_IN"] == pytest.approx(12.0)
    assert math.isnan(told["power.VDD_CPU_GPU_CV"])
    found.close()


def test_the_memorys_clock_where_root_may_read_it(tmp_path: Path) -> None:
    found = find_channels(jetson("orin-nano-8gb", "6.2").put(emc(locked=False)).write(tmp_path))
    assert read(found)["clock.emc"] == pytest.approx(2133)


def server(*, energy: str = "262143328850\n") -> Tree:
    rapl = "sys/class/powercap/intel-rapl:0/"
    return Tree(
        {
            **workstation_clocks(),
            f"{rapl}name": "package-0\n",
            f"{rapl}energy_uj": energy,
            f"{rapl}max_energy_range_uj": "262143328850\n",
            "sys/class/powercap/intel-rapl:0:0/name": "core\n",
            "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "3\n",
            "sys/class/thermal/thermal_zone0/type": "acpitz\n",
            "sys/class/thermal/thermal_zone0/temp": "-5000\n",
            "sys/class/thermal/thermal_zone1/type": "acpitz\n",
            "sys/class/thermal/thermal_zone1/temp": "61000\n",
            "proc/stat": "cpu  100 0 50 900 7 1 2 30 99 0\ncpu0 1 1 1 1 1 1 1 1 0 0\nprocs_running 3\n",
            f"proc/{os.getppid()}/stat": f"{os.getppid()} (a) odd (name) S 1 1 1 0 -1 0 0 0 0 0 40 20 0 0 20 0 1 0",
            "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0 total=1\n",
            "proc/meminfo": "MemTotal:       16000000 kB\nMemAvailable:    8192000 kB\n",
        }
    )


def test_a_server_tells_raplenergy_clocks_pressure_and_what_was_stolen(tmp_path: Path) -> None:
    found = find_channels(server().write(tmp_path))
    told, channels = read(found), by_name(found)
    assert told["energy.package-0"] == pytest.approx(262143.32885)
    assert channels["energy.package-0"].wraps_at == pytest.approx(262143.32885)
    assert "energy.core" not in told, "it is a part of its package"
    assert told["clock.policy0"] == pytest.approx(3400)
    assert told["events.package too hot"] == 3
    assert (told["temperature.acpitz"], told["temperature.acpitz-thermal_zone1"]) == (-5, 61)
    assert (told["cpu.busy"], told["cpu.steal"], told["cpu.own"]) == pytest.approx((1.53, 0.3, 0.6))
    assert told["stalled.cpu"] == 2.5
    assert told["memory.available"] == 8000
    assert absent(found)["power rails"].startswith("no INA3221 or INA238 monitor")
    assert absent(found)["stalled.io"].endswith("proc/pressure/io: No such file or directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="drops its rights")
def test_rapl_that_only_root_may_read_is_absent_and_says_so(tmp_path: Path) -> None:
    root = server().write(tmp_path)
    energy = root / "sys/class/powercap/intel-rapl:0/energy_uj"
    energy.chmod(0o400)
    for folder in (tmp_path, *tmp_path.parents):
        if not os.stat(folder).st_mode & 0o005 and folder.is_relative_to("/tmp"):
            folder.chmod(0o755)
    child = os.fork()
    if not child:
        os.setuid(65534)
        why = absent(find_channels(root)).get("energy.package-0", "")
        os._exit(0 if why == f"{energy}: Permission denied" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_empty_machine_says_of_everything_why_it_is_not_there(tmp_path: Path) -> None:
    found = find_channels(tmp_path)
    assert found.channels == []
    assert set(absent(found)) == {
        *("power rails", "temperatures", "throttle alerts", "throttle counters", "CPU clocks", "fan", "RAPL"),
        *("CPU times", "stalled.cpu", "stalled.memory", "stalled.io", "memory"),
    }
    assert all(absent(found).values())


def test_a_discrete_gpu_is_asked_for_each_value_by_itself(tmp_path: Path) -> None:
    library = FakeNvml(power_mw=312_500, energy_mj=5_000_000, reasons=0x4)
    found = find_channels(tmp_path, pci_address=ADDRESS, open_nvml=opened(library))
    told, channels = read(found), by_name(found)
    assert told["power.gpu"] == 312.5
    assert channels["power.gpu"].source == "nvmlDeviceGetFieldValues(POWER_INSTANT)"
    assert (told["energy.gpu"], told["slowed.gpu"], told["temperature.gpu"]) == (5000, 4, 47)
    assert (told["load.gpu"], told["load.others"]) == (0, 0)
    found.close()
    assert library.closed == 1


def test_a_gpu_without_the_power_of_now_gives_its_mean_of_a_second_and_says_so(tmp_path: Path) -> None:
    library = FakeNvml(power_mw=100_000, instant=False)
    channels = by_name(find_channels(tmp_path, pci_address=ADDRESS, open_nvml=opened(library)))
    assert channels["power.gpu"].conversion_s == 1.0
    assert "mean over one second" in channels["power.gpu"].source


def test_a_library_that_answers_nothing_is_absent_by_channel(tmp_path: Path) -> None:
    """JetPack 7.2 on Orin: NVML initialises, names the GPU, and supports no other question."""
    found = find_channels(tmp_path, pci_address=ADDRESS, open_nvml=opened(FakeNvml(supported=False)))
    told = read(found)
    assert not [name for name in told if name.startswith(("power", "clock", "temperature", "energy"))]
    assert absent(found)["power.gpu"] == "NVML answers that it does not know"
    assert absent(found)["temperature.gpu"] == "nvmlDeviceGetTemperature does not answer"


def test_other_processes_of_the_gpu_count_without_this_one(tmp_path: Path) -> None:
    library = FakeNvml()
    found = find_channels(tmp_path, pci_address=ADDRESS, open_nvml=opened(library))
    library.processes = {os.getppid(): 95}
    assert read(found)["load.others"] == 0
    library.processes = {os.getppid(): 60, 4321: 37}
    assert read(found)["load.others"] == 37
    assert read(found)["busy_processes"] == 0, "samples count once"
    library.processes = {123456: 60, 4321: 37}
    assert read(found)["load.others"] == 37, (
        "in a container this process has another number: the busiest is taken for it"
    )


def test_a_jetson_is_not_asked_by_nvml(tmp_path: Path) -> None:
    library = FakeNvml()
    root = jetson("agx-orin-64gb", "7.2").write(tmp_path)
    find_channels(root, pci_address=ADDRESS, open_nvml=opened(library)).close()
    assert library.asked == []


def test_this_machine_tells_what_its_cpus_do() -> None:
    found = find_channels()
    first = read(found)
    end = os.times().user + 0.05
    while os.times().user < end:
        pass
    second = read(found)
    assert second["cpu.busy"] > first["cpu.busy"]
    assert all(channel.source for channel in found.channels)
    found.close()
