"""The sampler as a process: it samples at real times, answers when it is asked to end, and outlives nobody."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from agent.telemetry.watch import SamplerProcess
from testing.boards.jetson import jetson
from testing.boards.tree import Tree

MONITOR = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040/hwmon/hwmon1/"


def test_a_board_is_sampled_while_its_files_change(tmp_path: Path) -> None:
    root = jetson("orin-nano-8gb", "6.2").write(tmp_path)
    sampler = SamplerProcess(root)
    sampler.start()
    assert sampler.wait_ready(), "a board that tells its power is worth waiting for at rest"
    began_s = time.monotonic()
    time.sleep(0.35)
    Tree({f"{MONITOR}curr1_input": "2400\n"}).write(root)
    time.sleep(0.35)
    ended_s = time.monotonic()
    telemetry = sampler.stop()
    power = telemetry.series["power.VDD_IN"]
    assert set(power.values) == {6.0, 12.0}
    assert power.at(began_s) == 6.0
    assert power.at(ended_s) == 12.0
    assert list(power.times_s) == sorted(power.times_s)
    assert len(power.values) > 3
    assert len(telemetry.series["temperature.tj-thermal"].values) >= 2, "at the begin and at the end"
    assert telemetry.cpu_share is not None


def test_a_machine_without_power_is_not_waited_for(tmp_path: Path) -> None:
    sampler = SamplerProcess(tmp_path)
    sampler.start()
    assert not sampler.wait_ready()
    assert "no INA3221" in sampler.stop().why_absent("power rails")
    assert sampler.stop().lost == "telemetry has ended"


def test_a_sampler_that_dies_costs_its_telemetry_and_says_so(tmp_path: Path) -> None:
    sampler = SamplerProcess(tmp_path)
    sampler.start()
    assert sampler._process is not None
    sampler._process.kill()
    assert not sampler.wait_ready()
    assert sampler.stop().lost.startswith("the sampler was not ready")
    assert SamplerProcess().stop().lost == "telemetry was not begun"


def test_it_is_ended_before_it_is_ready(tmp_path: Path) -> None:
    sampler = SamplerProcess(tmp_path)
    sampler.start()
    assert not sampler.stop().lost


PARENT = """
import os, sys, time
from pathlib import Path
from agent.telemetry.watch import SamplerProcess
sampler = SamplerProcess(Path(sys.argv[1]))
sampler.start()
sampler.wait_ready()
print(sampler._process.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the sampler is still there"
        time.sleep(0.02)


def test_what_samples_stands_behind_everything_else(tmp_path: Path) -> None:
    sampler = SamplerProcess(tmp_path)
    sampler.start()
    sampler.wait_ready()
    assert sampler._process is not None
    tasks = Path(f"/proc/{sampler._process.pid}/task")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = {os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in tasks.iterdir()}
        if max(found) >= 10:
            break
        time.sleep(0.01)
    assert max(found) >= 10
    sampler.stop()
