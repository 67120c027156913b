"""Temperatures, and whether the board slows itself down for heat or for want of current."""

from dataclasses import dataclass
from pathlib import Path

from agent.device.files import entries, number_of, text_of

_OFF_MILLICELSIUS = -256_000  # what a zone says whose part of the chip is powered off
_ALERTS = ("throttle-alert", "hot-surface-alert")
# NVIDIA's names for the counters of its over-current monitor.
OVER_CURRENT = {1: "under-voltage", 2: "average over-current", 3: "instantaneous over-current"}


@dataclass(frozen=True)
class Zone:
    """`celsius` is None for a zone that is powered off or unreadable."""

    name: str
    celsius: float | None


def read_zones(root: Path) -> list[Zone]:
    found = []
    for folder in entries(root / "sys/class/thermal", "thermal_zone*"):
        temp = number_of(folder / "temp")
        off = temp is None or temp <= _OFF_MILLICELSIUS
        found.append(Zone(text_of(folder / "type") or folder.name, None if off else (temp or 0) / 1000))
    return found


def throttling(root: Path) -> dict[str, int]:
    """Cooling devices that stand for throttling, with their state; above 0 the board is being slowed down now.

    Fans and frequency caps are cooling devices too, but no alert.
    """
    states = {}
    for folder in entries(root / "sys/class/thermal", "cooling_device*"):
        kind, state = text_of(folder / "type"), number_of(folder / "cur_state")
        if kind and kind.endswith(_ALERTS) and state is not None:
            states[kind] = state
    return states


def over_current_events(root: Path) -> dict[str, int]:
    """How often since boot the board was slowed down for its supply, by kind; empty where it does not count."""
    for folder in entries(root / "sys/class/hwmon", "hwmon*"):
        if text_of(folder / "name") == "soctherm_oc":
            counts = {what: number_of(folder / f"oc{number}_event_cnt") for number, what in OVER_CURRENT.items()}
            return {what: count for what, count in counts.items() if count is not None}
    return {}
