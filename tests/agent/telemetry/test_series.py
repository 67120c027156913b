"""Series over windows: integrals by trapezoids over real times, counters, and what a sampler tells."""

import pytest

from agent.telemetry.channels.channel import Channel
from agent.telemetry.series import ChannelSeries, length_s, parse

POWER = Channel("power.VDD_IN", "W", "file")


def series(*points: tuple[float, float]) -> ChannelSeries:
    return ChannelSeries(POWER, [time_s for time_s, _ in points], [value for _, value in points])


def test_a_ramp_is_integrated_exactly_whatever_the_times() -> None:
    ramp = series(*((time_s, 2 * time_s) for time_s in (0.0, 0.11, 0.37, 0.6, 0.61, 1.5, 2.0)))
    assert ramp.integral([(0.2, 1.8)]) == pytest.approx(1.8**2 - 0.2**2)
    assert ramp.integral([(0.2, 0.3), (0.3, 1.8)]) == pytest.approx(1.8**2 - 0.2**2)
    assert ramp.mean([(0.5, 1.0)]) == pytest.approx(1.5)
    assert ramp.at(0.24) == pytest.approx(0.48)


def test_a_step_between_unevenly_spaced_readings_counts_by_time_and_not_by_readings() -> None:
    """Many readings of a peak and few of the rest: their plain mean would be 8.4 W."""
    peak = series((0.0, 2.0), (0.9, 2.0), *((0.9 + 0.01 * k, 10.0) for k in range(1, 11)), (1.01, 2.0), (2.0, 2.0))
    assert peak.mean([(0.0, 2.0)]) == pytest.approx(2 + 8 * (0.09 + 0.01) / 2, abs=0.01)


def test_beyond_its_ends_the_nearest_value_holds_and_without_values_there_is_none() -> None:
    short = series((1.0, 5.0), (1.1, 5.0))
    assert short.mean([(0.9, 1.3)]) == pytest.approx(5.0)
    with pytest.raises(ValueError, match="never read"):
        series().integral([(0.0, 1.0)])


def test_what_lies_inside_windows() -> None:
    points = series(*((0.1 * k, float(k)) for k in range(11)))
    assert points.inside([(0.15, 0.35), (0.75, 0.85)]) == [2, 3, 8]
    assert length_s([(0.15, 0.35), (0.75, 0.85)]) == pytest.approx(0.3)


def test_a_counter_grows_between_its_readings_evenly_and_has_rates() -> None:
    counter = series((0.0, 100.0), (1.0, 110.0), (2.0, 150.0))
    assert counter.grown([(0.5, 1.5)]) == pytest.approx(25)
    assert counter.rates().values == [10, 40]
    assert counter.rates().times_s == [0.5, 1.5]


def test_what_a_sampler_told_leaves_out_what_could_not_be_read_and_unwraps_counters() -> None:
    def about(name: str, **more: object) -> dict[str, object]:
        return {"name": name, "unit": "J", "source": "file", **more}

    found = parse(
        {
            "cpu_s": 0.02,
            "elapsed_s": 4.0,
            "absent": [{"name": "fan", "why": "none"}],
            "sensors": [
                {
                    "channels": [about("energy.package-0", counts=True, wraps_at=100.0), about("temperature.cv")],
                    "times_ns": [1_000_000_000, 2_000_000_000, 3_000_000_000, 4_000_000_000],
                    "values": [[90.0, 99.0, 3.0, 10.0], [None, 1.0, None, 2.0]],
                }
            ],
        }
    )
    energy = found.series["energy.package-0"]
    assert energy.values == [90, 99, 103, 110]
    assert energy.channel.counts
    assert (found.series["temperature.cv"].times_s, found.series["temperature.cv"].values) == ([2.0, 4.0], [1.0, 2.0])
    assert found.cpu_share == 0.005
    assert found.why_absent("fan", "RAPL") == "fan: none"
