"""Power and energy of a measurement: the right number with an interval that holds, or no number and the reason."""

import math
import random

import pytest

from agent.telemetry.channels.channel import Absent, Channel
from agent.telemetry.channels.nvml import BY_NVML
from agent.telemetry.power import PowerSource, energy_per_inference, in_words, mean_power, power_source
from agent.telemetry.series import ChannelSeries, Telemetry

INPUT = Channel("power.VDD_IN", "W", "in1 x curr1", covers="VDD_IN, the module's input", conversion_s=0.028)
GPU = Channel("power.gpu", "W", "nvml", covers=BY_NVML)
PACKAGE = Channel("energy.package-0", "J", "rapl", counts=True, covers="the CPU's package, by RAPL")
WINDOW = [(1.0, 3.0)]


def sampled(channel: Channel, values: list[float], *, every_s: float = 0.1) -> ChannelSeries:
    return ChannelSeries(channel, [every_s * k for k in range(len(values))], values)


def telemetry(*series: ChannelSeries, absent: tuple[Absent, ...] = ()) -> Telemetry:
    return Telemetry({item.channel.name: item for item in series}, absent)


def source(*series: ChannelSeries, on_gpu: bool = True) -> PowerSource:
    found = power_source(telemetry(*series), on_gpu=on_gpu)
    assert isinstance(found, PowerSource), found
    return found


def test_energy_is_the_mean_power_times_the_window_over_the_inferences() -> None:
    power = mean_power(source(sampled(INPUT, [8.0] * 41)), WINDOW)
    energy = energy_per_inference(power, inferences_per_s=200)
    assert power.value == pytest.approx(8.0)
    assert energy.value == pytest.approx(1e3 * 8.0 * 2.0 / 400)
    assert (energy.low, energy.high) == pytest.approx((40, 40)), "nothing moved, and the step is unknown"


def test_the_monitors_step_is_in_the_interval_of_what_does_not_move() -> None:
    channel = Channel("power.VDD_IN", "W", "f", covers="VDD_IN", step_w=0.04)
    power = mean_power(source(sampled(channel, [8.0] * 41)), WINDOW)
    assert (power.low, power.high) == pytest.approx((7.98, 8.02))


@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_the_interval_holds_the_true_power_as_often_as_it_says(memory: float) -> None:
    """Readings around 10 W, each like the one before by `memory`: 95 % of the intervals must hold 10 W, and do."""
    dice, held = random.Random(7), 0
    for _ in range(400):
        value, values = dice.gauss(0, 1), []
        for _ in range(61):
            value = memory * value + math.sqrt(1 - memory**2) * dice.gauss(0, 1)
            values.append(10 + value)
        power = mean_power(source(sampled(INPUT, values)), [(0.5, 5.5)])
        held += power.low <= 10 <= power.high
    assert held / 400 >= (0.92 if not memory else 0.85)


def test_a_short_window_has_no_number_and_says_how_long_it_would_have_to_be() -> None:
    power = mean_power(source(sampled(INPUT, [8.0] * 41)), [(1.02, 1.48)])
    assert not power.HasField("value")
    assert power.reason == "4 conversions in 0.46 s < 8: VDD_IN, the module's input needs a window of 0.8 s"
    assert energy_per_inference(power, inferences_per_s=20).reason == power.reason


def test_a_slow_monitor_read_often_tells_no_more_than_it_converts() -> None:
    slow = Channel("power.VDD_IN", "W", "f", covers="VDD_IN", conversion_s=1.0)
    assert source(sampled(slow, [8.0] * 41)).conversions(WINDOW) == 3
    assert "needs a window of 8 s" in mean_power(source(sampled(slow, [8.0] * 41)), WINDOW).reason


def test_rails_of_a_board_without_an_input_rail_are_added() -> None:
    parts = [
        Channel(f"power.{name}", "W", "f", covers="the sum of VDD_GPU_SOC + VDD_CPU_CV")
        for name in ("VDD_GPU_SOC", "VDD_CPU_CV")
    ]
    found = source(*(sampled(channel, [watts] * 41) for channel, watts in zip(parts, (12.0, 5.0), strict=True)))
    assert mean_power(found, WINDOW).value == pytest.approx(17.0)
    assert found.covers == "the sum of VDD_GPU_SOC + VDD_CPU_CV"


def test_parts_of_a_total_are_not_added_to_it() -> None:
    part = Channel("power.VDD_SOC", "W", "f")
    assert mean_power(source(sampled(INPUT, [8.0] * 41), sampled(part, [2.0] * 41)), WINDOW).value == pytest.approx(8)


def test_a_gpus_power_is_of_what_ran_on_it_alone() -> None:
    found = telemetry(
        sampled(GPU, [300.0] * 41), absent=(Absent("RAPL", "no intel-rapl"), Absent("power rails", "none"))
    )
    assert isinstance(power_source(found, on_gpu=True), PowerSource)
    assert power_source(found, on_gpu=False) == "no readable rail: RAPL: no intel-rapl; power rails: none"


def test_rapl_counts_for_what_ran_on_the_cpu() -> None:
    watts = sampled(PACKAGE, [6.5 * k for k in range(41)])
    power = mean_power(source(watts, on_gpu=False), WINDOW)
    assert power.value == pytest.approx(65.0)
    assert power_source(telemetry(watts), on_gpu=True) == "no readable rail: none is known"


def test_no_rail_is_a_reason_and_so_is_a_sampler_that_failed() -> None:
    assert mean_power(power_source(Telemetry(lost="the sampler gave no answer"), on_gpu=True), WINDOW).reason == (
        "no readable rail: the sampler gave no answer"
    )


def test_the_record_says_what_was_measured_by_what_and_how_often() -> None:
    said = in_words(source(sampled(INPUT, [8.0] * 41)), WINDOW)
    assert said == "VDD_IN, the module's input; in1 x curr1; conversion time 28 ms; 21 conversions in 2 s"
