"""What sampled channels say against a measurement: each flag with its evidence, and none of a machine left alone."""

from collections.abc import Sequence

import pytest

from agent.telemetry.channels.channel import Channel
from agent.telemetry.disturbances import Watched, sampled_flags
from agent.telemetry.series import ChannelSeries, Telemetry
from jetfleet.v1.task_pb2 import FLAG_KIND_CLOCK_DRIFT, FLAG_KIND_INTERFERED, FLAG_KIND_THROTTLED

DRIFT, THROTTLED, INTERFERED = FLAG_KIND_CLOCK_DRIFT, FLAG_KIND_THROTTLED, FLAG_KIND_INTERFERED


def series(name: str, values: Sequence[float], *, every_s: float = 0.1) -> ChannelSeries:
    """Read ten times before the windows begin at 1 s."""
    return ChannelSeries(Channel(name, "", "file"), [every_s * k for k in range(len(values))], values)


def flags(
    *found: ChannelSeries, on_cpu: bool = False, on_gpu: bool = True, cpus: int = 4, paced: bool = False
) -> dict[int, str]:
    watched = Watched(
        windows=[(1.0, 2.0), (2.1, 3.0)], rest=(0.2, 0.7), cpus=cpus, on_cpu=on_cpu, on_gpu=on_gpu, paced=paced
    )
    telemetry = Telemetry({item.channel.name: item for item in found})
    return {flag.kind: flag.evidence for flag in sampled_flags(telemetry, watched)}


def grows(name: str, *, per_s: float, before: float = 0.0) -> ChannelSeries:
    """A counter that grows at another pace before the windows."""
    values = [before * 0.1 * min(k, 10) + per_s * 0.1 * max(0, k - 10) for k in range(32)]
    return series(name, values)


def test_a_quiet_machine_has_no_flag() -> None:
    quiet = [
        series("clock.gpu", [306] * 10 + [1020] * 22),
        series("clock.emc", [2133] * 32),
        series("alert.gpu-throttle-alert", [0] * 32),
        series("events.average over-current", [17] * 32),
        series("slowed.gpu", [0] * 32),
        series("load.gpu", [3] * 10 + [97] * 22),
        series("load.others", [0] * 32),
        grows("cpu.busy", per_s=1.2, before=3.0),
        grows("cpu.own", per_s=1.0),
        grows("cpu.steal", per_s=0.01),
        grows("stalled.memory", per_s=0.0),
    ]
    assert flags(*quiet, on_cpu=True) == {}


def test_a_clock_that_moves_while_it_is_measured_is_a_drift_and_before_that_it_may() -> None:
    falling = series("clock.gpu", [306] * 10 + [1020] * 15 + [918] * 7)
    assert flags(falling) == {DRIFT: "GPU clock between 918 and 1020 MHz (limit 5%)"}
    emc = series("clock.emc", [2133] * 20 + [3199] * 12)
    assert flags(emc) == {DRIFT: "EMC clock between 2133 and 3199 MHz (limit 5%)"}


def test_at_a_pace_clocks_fall_between_inputs_and_that_is_what_is_measured() -> None:
    falling = series("clock.gpu", [306] * 10 + [1020, 306] * 11)
    assert flags(falling, paced=True) == {}
    assert flags(falling) != {}


def test_cpus_count_by_levels_and_only_where_something_ran_on_them() -> None:
    idle = series("clock.policy1", [800] * 32)
    falling = [idle, series("clock.policy0", [4200] * 17 + [3600] * 15)]
    said = "fastest CPU at 4200 MHz in the first third, 3600 in the last (limit 10%)"
    assert flags(*falling, on_cpu=True) == {DRIFT: said}
    assert flags(*falling) == {}
    scattered = series("clock.policy0", [4200, 1200, 4200, 4200, 4100, 1300, 4200, 4200] * 4)
    assert flags(idle, scattered, on_cpu=True) == {}


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            series("alert.gpu-throttle-alert", [0] * 20 + [1] * 2 + [0] * 10),
            "gpu-throttle-alert was raised in 2 of 21 readings",
        ),
        (series("events.instantaneous over-current", [40] * 12 + [41] * 8 + [43] * 12),
         "3 instantaneous over-current events"),
        (series("events.under-voltage", [0] * 31 + [1]), "1 under-voltage event"),
        (series("slowed.gpu", [0] * 12 + [0x24] * 20), "GPU slowed by power cap; GPU slowed by thermal slowdown"),
    ],
)  # fmt: skip
def test_a_machine_that_slows_itself_down_is_throttled(raised: ChannelSeries, said: str) -> None:
    assert flags(raised) == {THROTTLED: said}


@pytest.mark.parametrize(
    "before",
    [
        series("alert.cpu-throttle-alert", [1] * 9 + [0] * 23),
        series("events.average over-current", [40] * 5 + [47] * 27),
        series("slowed.gpu", [4] * 9 + [0] * 23),
    ],
)
def test_what_was_before_the_rounds_does_not_count(before: ChannelSeries) -> None:
    assert flags(before) == {}


def test_another_process_on_the_gpu() -> None:
    resting = series("load.gpu", [40] * 10 + [99] * 22)
    assert flags(resting) == {INTERFERED: "the GPU was 40 % busy before anything was loaded (limit 10 %)"}
    assert flags(resting, on_gpu=False, on_cpu=True) == {}
    assert flags(series("load.gpu", [90, 90, 50, 50, 0, 0, 0, 0, 80, 90, *[99] * 22])) == {}, "what ended before"
    others = series("load.others", [0] * 15 + [37] + [0] * 16)
    assert flags(others) == {INTERFERED: "other processes had up to 37 % of the GPU (limit 10 %)"}


def test_other_processes_on_the_cpus_count_where_something_was_measured_on_them() -> None:
    shared = [grows("cpu.busy", per_s=2.1), grows("cpu.own", per_s=1.0)]
    assert flags(*shared, on_cpu=True) == {INTERFERED: "other processes used 1.1 of 4 CPUs (limit 0.5)"}
    assert flags(*shared, on_cpu=False) == {}
    assert flags(*shared, on_cpu=True, paced=True) == {}, "ticks and a pace may coincide"
    assert flags(*shared, on_cpu=True, cpus=64) == {}, "one of 64 CPUs is what daemons take"


def test_what_the_hypervisor_took_and_what_waited_for_memory() -> None:
    stolen = [grows("cpu.busy", per_s=1.0), grows("cpu.steal", per_s=0.1)]
    assert flags(*stolen) == {INTERFERED: "the hypervisor gave 9.1% of the CPUs' time to others (limit 3%)"}
    assert flags(grows("stalled.memory", per_s=0.1)) == {
        INTERFERED: "tasks waited for memory 10.0% of the time (limit 3%)"
    }
