"""A BENCH on a constructed board, from its sensors to the metrics and the file of its measurement: the real sampler."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.attempt import AttemptDir
from agent.repeat.role import RunRole
from agent.runtime import registry
from agent.work.bench import run_bench
from agent.work.main import Reporter
from agent.work.surroundings import merged
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_TELEMETRY,
    FLAG_KIND_CLOCK_DRIFT,
    FLAG_KIND_THROTTLED,
    BenchTask,
    Flag,
    Measurement,
    Outcome,
    OutputCheck,
)
from testing.boards.jetson import jetson
from testing.boards.tree import Tree
from tests.agent.builders import Blobs, bench_task
from tests.agent.fake_runtime import MODULES

OFF = OutputCheck(rule=OutputCheck.RULE_OFF)
NEW = ("energy_mj", "power_mean_w", "power_idle_w", "gpu_clock_mean_mhz", "cpu_clock_mean_mhz", "temperature_max_c")


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_MODULES", MODULES)


def measured(
    folder: Path,
    tree: Tree,
    *,
    placements: Sequence[str] = ("gpu",),
    window_s: float = 1.0,
    role: RunRole | None = None,
) -> tuple[Outcome, AttemptDir]:
    folder.mkdir(exist_ok=True)
    blobs = Blobs(folder / "store")
    spec = bench_task(blobs, runtime="fake", check=OFF, seconds=(0, window_s, window_s))
    only = spec.bench.subjects[0]
    only.placement = placements[0]
    for placement in placements[1:]:
        spec.bench.schedule = BenchTask.SCHEDULE_CONCURRENT
        spec.bench.subjects.add().CopyFrom(only)
        spec.bench.subjects[-1].placement = placement
    attempt = AttemptDir(folder / "attempt")
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        (attempt.blobs / path.name).write_bytes(path.read_bytes())
    root = tree.write(folder / "root")
    return run_bench(spec.bench, attempt, Reporter(None), {}, role=role or RunRole(), root=root), attempt


def file_of(outcome: Outcome, attempt: AttemptDir) -> tuple[str, dict[str, Any], dict[str, dict[str, Any]]]:
    """Name, first line, and the lines of the channels."""
    (artifact,) = [item for item in outcome.artifacts if item.role == ARTIFACT_ROLE_TELEMETRY]
    about, *channels = map(json.loads, (attempt.out / artifact.sha256).read_text().splitlines())
    return artifact.name, about, {line["channel"]: line for line in channels}


def test_a_board_has_energy_power_clocks_and_heat_and_keeps_the_series(tmp_path: Path) -> None:
    outcome, attempt = measured(tmp_path, jetson("orin-nano-8gb", "6.2"))
    (found,) = outcome.measured.measurements
    values = {name: found.metrics[name].value for name in NEW}
    window_s = found.window.ToNanoseconds() / 1e9
    assert values["power_mean_w"] == pytest.approx(6.0)
    assert values["energy_mj"] == pytest.approx(6e3 * window_s / found.n)
    power = found.metrics["power_mean_w"]
    assert power.reason == "one run: 5.98 to 6.02 within it, unknown for the next", "a step of 8 mA is 40 mW"
    assert values["power_idle_w"] == pytest.approx(6.0)
    assert (values["gpu_clock_mean_mhz"], values["cpu_clock_mean_mhz"]) == pytest.approx((306, 729.6))
    assert 45 < values["temperature_max_c"] < 50

    name, about, channels = file_of(outcome, attempt)
    assert name == "telemetry.0.jsonl"
    assert about["power"].startswith("VDD_IN, the module's input; ")
    assert "conversion time 28 ms" in about["power"]
    assert about["absent"]["clock.emc"] == "only root may read the memory's clock on this board"
    assert about["rounds"][0][0] == 0
    assert about["rest"][0][1] < 0, "before the rounds"
    rail = channels["power.VDD_IN"]
    assert set(rail["values"]) == {6.0}
    assert rail["t_s"][0] < about["rest"][0][1]
    assert rail["t_s"][-1] >= about["rounds"][-1][1]
    assert rail["t_s"] == sorted(rail["t_s"])


def test_a_board_at_rest_is_not_woken_by_cudas_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("agent.work.surroundings.first_pci_address", lambda: asked.append("cuInit") or "")
    measured(tmp_path / "board", jetson("orin-nano-8gb", "6.2"), window_s=0.1)
    assert asked == []
    measured(tmp_path / "server", Tree({"etc/hostname": "x"}), window_s=0.1)
    assert asked == ["cuInit"]


def test_later_processes_do_not_wait_at_rest(tmp_path: Path) -> None:
    outcome, attempt = measured(tmp_path, jetson("orin-nano-8gb", "6.2"), role=RunRole(2))
    assert "power_idle_w" not in outcome.measured.measurements[0].metrics
    name, about, _ = file_of(outcome, attempt)
    assert (name, about["rest"]) == ("telemetry.2.jsonl", [])


def test_subjects_together_share_their_power_and_the_aggregate_has_it(tmp_path: Path) -> None:
    outcome, _ = measured(tmp_path, jetson("agx-orin-64gb", "6.2"), placements=("gpu", "dla0"))
    *parts, whole = outcome.measured.measurements
    for part in parts:
        assert part.metrics["energy_mj"].reason == "drawn by several subjects, together or in turns"
        assert not part.metrics["energy_mj"].HasField("value")
        assert part.metrics["temperature_max_c"].value > 40
    assert whole.metrics["power_mean_w"].value == pytest.approx(8.0), "the sum of the rails"
    rate_per_s = sum(part.n / (part.window.ToNanoseconds() / 1e9) for part in parts)
    assert whole.metrics["energy_mj"].value == pytest.approx(8e3 / rate_per_s), "of all their inferences"


def reasons(found: Measurement) -> dict[str, str]:
    return {name: found.metrics[name].reason for name in NEW if name in found.metrics}


def test_a_machine_without_sensors_says_of_each_number_why_it_is_not_there(tmp_path: Path) -> None:
    outcome, _ = measured(tmp_path, Tree({"etc/hostname": "x"}), window_s=0.2)
    (found,) = outcome.measured.measurements
    assert reasons(found) == {
        "energy_mj": "no readable rail: power rails: no INA3221 or INA238 monitor below /sys/bus/i2c/drivers",
        "power_mean_w": "no readable rail: power rails: no INA3221 or INA238 monitor below /sys/bus/i2c/drivers",
        "power_idle_w": "no readable rail: power rails: no INA3221 or INA238 monitor below /sys/bus/i2c/drivers",
        "gpu_clock_mean_mhz": "there is no such clock",
        "cpu_clock_mean_mhz": "CPU clocks: no cpufreq below /sys/devices/system/cpu: a virtual machine hides them",
        "temperature_max_c": "temperatures: no thermal zone below /sys/class/thermal can be read",
    }
    assert not any(found.metrics[name].HasField("value") for name in NEW)


def test_a_window_too_short_for_the_monitor_has_no_energy_and_says_what_it_needs(tmp_path: Path) -> None:
    outcome, _ = measured(tmp_path, jetson("orin-nano-8gb", "6.2"), window_s=0.2)
    reason = outcome.measured.measurements[0].metrics["energy_mj"].reason
    assert reason.endswith("< 8: VDD_IN, the module's input needs a window of 0.8 s")


def test_flags_of_one_kind_are_one_flag_with_all_that_was_seen() -> None:
    drift, heat = FLAG_KIND_CLOCK_DRIFT, FLAG_KIND_THROTTLED
    flags = [Flag(kind=drift, evidence="a"), Flag(kind=heat, evidence="b"), Flag(kind=drift, evidence="c")]
    assert merged(flags) == [Flag(kind=drift, evidence="a; c"), Flag(kind=heat, evidence="b")]
