"""Whether the inputs of a paced job come often enough for what it has time to see."""

from typing import Literal

from controller.intake.jobfile.strict import problem
from controller.model.job import Measure

_PLANNED_RUNS = 5  # of `runs: auto`
_FEWEST_ARRIVALS = 2  # in a window: of one alone nothing is known of a rate


def check_rate(rate_hz: float, runs: int | Literal["auto"], *, seconds: float, max_seconds: float | None) -> None:
    """The window of each run is its share of what all may take, or `seconds` if that is longer."""
    longest_s = Measure.max_s if max_seconds is None else max_seconds
    window_s = max(seconds, longest_s / (_PLANNED_RUNS if runs == "auto" else runs))
    if rate_hz * window_s < _FEWEST_ARRIVALS:
        expected = f"seconds: {_FEWEST_ARRIVALS / rate_hz:g}, and max_seconds no less"
        raise problem(
            f"an input arrives every {1 / rate_hz:g} s, and the window of each run is {window_s:g} s", expected=expected
        )
