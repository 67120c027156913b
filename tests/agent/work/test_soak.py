"""Soaking: until no zone's temperature moves faster than asked, at most so long, and only where one can be read."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.repeat.role import RunRole
from agent.work.soak import Soaked, SoakSensors, sensors_of, soak, steepest
from agent.work.together import CallerThread, Lane
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import Measurement, MeasureOptions
from testing.boards.jetson import jetson
from tests.agent.scripted import Scripted, noisy, silent

FIRST = RunRole()


def asked(*, limit_s: int = 300, celsius_per_minute: float = 0.5) -> MeasureOptions:
    options = MeasureOptions()
    options.soak.limit.seconds = limit_s
    options.soak.celsius_per_minute = celsius_per_minute
    return options


def warmed(celsius_at: Callable[[float], float], *, role: RunRole = FIRST, limit_s: int = 300) -> Soaked:
    """A board whose GPU has this temperature after so many seconds; its other zones are cool."""
    seconds: Iterator[float] = itertools.count(0.0, 1.0)
    time = [0.0]

    def now() -> float:
        time[0] = next(seconds)
        return time[0]

    sensors = SoakSensors(lambda: {"gpu": celsius_at(time[0]), "cpu": 40.0}, now)
    lanes = [Lane(Scripted(noisy(20.0, 0.01)), CallerThread())]
    return soak(lanes, asked(limit_s=limit_s), silent, role=role, sensors=sensors)


def test_it_ends_when_the_temperature_is_steady_and_not_before() -> None:
    found = warmed(lambda at: 70.0 - 30.0 * 2.0 ** (-at / 30.0))
    assert found.state == "on"
    assert 150 < found.took_s < 260  # 0.5 degrees per minute of an exponential with a half-life of 30 s
    assert found.celsius == pytest.approx(69.5, abs=0.6)
    measurement = Measurement()
    found.add_metrics(measurement)
    assert measurement.metrics["soak_s"].value == found.took_s
    assert found.circumstances == {"soak": "on"}


def test_a_steady_board_takes_one_window() -> None:
    assert 60 <= warmed(lambda at: 55.0).took_s <= 62


def test_a_sensor_of_coarse_steps_is_no_slope() -> None:
    assert warmed(lambda at: 55.0 + 0.5 * (int(at) % 2)).took_s <= 62


def test_one_that_never_settles_says_so() -> None:
    found = warmed(lambda at: 40.0 + at / 30.0, limit_s=120)
    assert (found.state, found.circumstances) == ("not steady in time", {"soak": "not steady in time"})
    assert 120 <= found.took_s <= 122


def test_a_board_that_cools_down_is_not_steady_either() -> None:
    assert warmed(lambda at: 90.0 - at / 30.0, limit_s=120).state == "not steady in time"


def test_later_processes_and_who_did_not_ask_do_not_soak() -> None:
    assert warmed(lambda at: 1 / 0, role=RunRole(index=1)) == Soaked()
    sensors = SoakSensors(dict)
    assert soak([], MeasureOptions(), silent, role=FIRST, sensors=sensors) == Soaked()
    assert soak([], asked(), silent, role=FIRST, sensors=None).circumstances == {"soak": "on"}


def test_without_a_temperature_it_is_refused() -> None:
    with pytest.raises(BadInput, match="no thermal zone can be read here"):
        soak([], asked(), silent, role=FIRST, sensors=SoakSensors(dict))


def test_zones_that_are_off_are_left_out(tmp_path: Path) -> None:
    sensors = sensors_of(jetson("orin-nx-16gb", "6.2").write(tmp_path), simulated=False)
    assert sensors is not None
    found = sensors.read()
    assert found
    assert not [name for name in found if name.startswith("cv")]


def test_the_slope_is_of_the_zone_that_moves_fastest() -> None:
    readings = [(float(at), {"a": 40.0 + at / 60.0, "b": 80.0 - at / 20.0}) for at in range(61)]
    assert steepest(readings, window_s=60.0) == pytest.approx(-3.0)
    assert steepest(readings[:30], window_s=60.0) is None
