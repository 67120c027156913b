"""Whether a board can be set as a variant asks, and what variants that share a task may ask. Pure."""

from collections.abc import Mapping, Sequence

from controller.model.facts import Facts, FactValue, shown
from controller.model.job import Variant
from jetfleet.board_settings import CLOCKS, CPU, GPU, POWER_MODE, SETTINGS
from jetfleet.errors import BadInput
from jetfleet.placement import Placement

_NO_HELPER = "its agent has no helper that could: `agent install` on the board brings one"


def refusal(settings: Mapping[str, str], placement: str, facts: Facts) -> str:
    """Why a device with these facts cannot be set so; empty if it can."""
    mode = settings.get(POWER_MODE)
    found = _mode_refusal(mode, facts) if mode else ""
    return found or (_clocks_refusal(placement, facts) if CLOCKS in settings else "")


def check_names(variant: Variant) -> None:
    """Raises BadInput for what is not a setting."""
    for name in variant.settings:
        if name not in SETTINGS:
            raise BadInput(f"{name!r} is not a setting of a board", where=variant.key, expected=", ".join(SETTINGS))


def check_alike(variants: Sequence[Variant]) -> None:
    """Raises BadInput for variants of one task that want the board in different states."""
    first = variants[0]
    for other in variants[1:]:
        if other.settings != first.settings:
            raise BadInput(
                "two variants that take turns want different power modes or clocks, and the board has one at a time",
                where=other.key,
                expected="the same power_mode and clocks in both, or `compare` of two jobs",
            )


def _mode_refusal(mode: str, facts: Facts) -> str:
    if mode == facts.get("power_mode"):
        return ""
    known = facts.get("power_modes")
    if not _holds(known, mode):
        return f"it has no power mode {mode} (it has {shown(known) if known else 'none'})"
    settable = facts.get("settable_power_modes")
    if settable is None:
        return f"power mode {mode} cannot be set: {_NO_HELPER}"
    if not _holds(settable, mode):
        return (
            f"power mode {mode} needs a reboot from {shown(facts.get('power_mode'))}: set it on the board, and reboot"
        )
    return ""


def _clocks_refusal(placement: str, facts: Facts) -> str:
    lockable = facts.get("lockable_clocks")
    if lockable is None:
        return f"its clocks cannot be locked: {_NO_HELPER}"
    needed = CPU if Placement(placement).is_cpu else GPU
    return "" if _holds(lockable, needed) else f"its {needed} clock cannot be locked (it can lock {shown(lockable)})"


def _holds(values: FactValue | None, wanted: str) -> bool:
    return isinstance(values, tuple) and wanted in values
