"""Power modes and clocks that variants ask for: compared and named; those that nobody asked for are not compared."""

from dataclasses import replace

from controller.analysis.comparability import differences
from controller.analysis.remarks import axis_differences
from controller.model.comparison import Axis
from controller.model.result import Row
from tests.analysis.runs import BOARD, row


def under(number: int, asked: str, *, in_force: str) -> Row:
    made = row(number, facts={**BOARD, "power_mode": "10W"}, settings={"power_mode": asked} if asked else {})
    return replace(made, measurement=replace(made.measurement, circumstances={"power_mode": in_force}))


def test_what_was_asked_for_is_an_axis_of_variants_alone() -> None:
    base, fast = under(1, "15W", in_force="15W"), under(2, "25W", in_force="25W")
    assert differences(fast, base, by=Axis.VARIANT) == []
    assert axis_differences(fast, base) == ["power_mode is 25W, 15W in the baseline"]
    assert differences(fast, base, by=Axis.DEVICE) == ["power_mode is 25W, 15W in the baseline"]


def test_what_nobody_asked_for_keeps_rows_apart() -> None:
    base, other = under(1, "", in_force="15W"), under(2, "", in_force="25W")
    assert differences(other, base, by=Axis.VARIANT) == ["power_mode is 25W, 15W in the baseline"]
    assert axis_differences(other, base) == []


def test_an_older_row_has_the_mode_of_its_session() -> None:
    assert row(1, facts={**BOARD, "power_mode": "10W"}).power_mode == "10W"
    assert under(1, "", in_force="25W").power_mode == "25W"
