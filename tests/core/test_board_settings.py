"""Which boards can be set as a variant asks: by the facts that their agents tell."""

from dataclasses import replace

import pytest

from controller.core.ability import inability
from controller.core.board_settings import check_alike
from controller.core.plan import plan
from jetfleet.errors import BadInput, NoDevice
from testing.devices import device
from testing.specs import job, variant

MODES = {"power_mode": "15W", "power_modes": ("15W", "25W", "7W"), "settable_power_modes": ("15W", "25W")}


def why(settings: dict[str, str], placement: str = "cpu", **facts: object) -> str:
    board = device("box", **facts)
    wanted = replace(variant(), settings=settings, placement=placement)
    return inability(wanted.runtime, placement, board.facts, wanted)


@pytest.mark.parametrize(
    ("mode", "facts", "said"),
    [
        ("25W", MODES, ""),
        ("15W", {"power_mode": "15W", "power_modes": ("15W",)}, ""),  # in force: nobody has to set it
        ("99W", MODES, "it has no power mode 99W (it has 15W 25W 7W)"),
        ("25W", {}, "it has no power mode 25W (it has none)"),
        ("7W", MODES, "power mode 7W needs a reboot from 15W"),
        ("25W", {"power_mode": "15W", "power_modes": ("15W", "25W")}, "its agent has no helper"),
    ],
)
def test_power_modes(mode, facts, said):
    found = why({"power_mode": mode}, **facts)
    assert said in found if said else found == ""


def test_clocks():
    assert why({"clocks": "locked"}, lockable_clocks=("cpu",)) == ""
    assert "no helper" in why({"clocks": "locked"})
    assert "its cpu clock cannot be locked (it can lock gpu)" in why({"clocks": "locked"}, lockable_clocks=("gpu",))


def test_a_job_for_no_board_is_refused_with_the_reason():
    wanted = replace(variant(), settings={"power_mode": "7W"})
    with pytest.raises(NoDevice) as found:
        plan(job(wanted), [device("box", **MODES)], [])
    assert "power mode 7W needs a reboot" in found.value.hint


def test_what_is_not_a_setting_is_refused():
    wanted = replace(variant(), settings={"fan": "full"})
    with pytest.raises(BadInput, match="'fan' is not a setting"):
        plan(job(wanted), [device("box")], [])


def test_variants_that_take_turns_want_one_state_of_the_board():
    base = variant()
    check_alike((base, base))
    with pytest.raises(BadInput, match="the board has one at a time"):
        check_alike((base, replace(base, settings={"power_mode": "25W"})))
