"""The file of a measurement's series: lines of JSON, at full rate around the rounds."""

import json

from agent.telemetry.channels.channel import Absent, Channel
from agent.telemetry.disturbances import Watched
from agent.telemetry.series import ChannelSeries, Telemetry
from agent.telemetry.summary import as_lines


def test_a_long_time_before_the_rounds_is_told_once_a_second() -> None:
    times_s = [100 + 0.1 * k for k in range(6500)]
    series = ChannelSeries(Channel("power.VDD_IN", "W", "file"), times_s, [1 / 3] * len(times_s))
    telemetry = Telemetry({"power.VDD_IN": series}, [Absent("fan", "none")], cpu_share=0.001)
    watched = Watched(windows=[(740.0, 745.0)], rest=(100.0, 100.5), cpus=2, on_cpu=False, on_gpu=True)
    about, power = map(json.loads, as_lines(telemetry, watched, power="the module").splitlines())
    assert about == {
        "monotonic_s": 740.0,
        "rest": [[-640.0, -639.5]],
        "rounds": [[0.0, 5.0]],
        "power": "the module",
        "sampler_cpu_share": 0.001,
        "lost": "",
        "absent": {"fan": "none"},
    }
    assert power["values"][0] == 0.333333333
    around = [time_s for time_s in power["t_s"] if time_s >= -5]
    assert len(around) == 150
    assert 630 < len(power["t_s"]) - len(around) <= 640
    assert power["t_s"] == sorted(power["t_s"])
