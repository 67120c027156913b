"""Files of agents that are damaged, empty or made up end no report and no explanation: they are told or unknown."""

import pytest

from controller.api.slowness import _shares
from controller.api.telemetry_file import latency_of, series_of
from jetfleet.errors import Corrupt

CHANNEL = '{{}}\n{{"channel": "VDD_IN", "unit": "W", "t_s": [0, 1, 2], "values": [{values}]}}'


@pytest.mark.parametrize(
    "text",
    [
        "{}\n5",
        "{}\n[]",
        "{}\n" + "[" * 100_000,
        "{}\nnot JSON",
        CHANNEL.format(values="1, 2"),
        CHANNEL.format(values="null, 1, 2"),
        CHANNEL.format(values=f"1, 2, 1{'0' * 400}"),
    ],
)
def test_a_damaged_channel_is_told(text: str) -> None:
    with pytest.raises(Corrupt, match="telemetry cannot be read"):
        list(series_of(text))


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"rounds": [[1]]}', '{"rounds": 5}'])
def test_a_damaged_head_is_told(text: str) -> None:
    with pytest.raises(Corrupt, match="telemetry cannot be read"):
        list(latency_of(text, [1.0]))


def test_what_is_not_finite_is_in_no_picture() -> None:
    (series,) = series_of(CHANNEL.format(values="1, NaN, 3"))
    assert (series.seconds, series.values) == ((0.0, 2.0), (1.0, 3.0))
    assert list(series_of(CHANNEL.format(values="NaN, Infinity, 3"))) == []
    assert list(series_of("")) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": 5}', '{"layers": [{"name": "a"}]}', "[" * 100_000])
def test_layers_of_a_damaged_profile_are_unknown(text: str) -> None:
    assert _shares(text) == []
