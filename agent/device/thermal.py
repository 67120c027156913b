"""Temperatures, and whether the board slows itself down for heat or for want of current."""

from collections.abc import Mapping
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
    return [Zone(name, _celsius(number_of(path))) for name, path in _zone_files(root)]


def temperatures(root: Path) -> dict[str, float]:
    """Of the zones that can be read now; none: nobody could tell when the board is warm."""
    return {zone.name: zone.celsius for zone in read_zones(root) if zone.celsius is not None}


def find_zones(root: Path) -> dict[str, Path]:
    """The temperature's file of each zone that is powered on, in millidegrees."""
    found: dict[str, Path] = {}
    for name, path in _zone_files(root):
        if _celsius(number_of(path)) is not None:
            found[name if name not in found else f"{name}-{path.parent.name}"] = path  # a PC has several of one name
    return found


def _zone_files(root: Path) -> list[tuple[str, Path]]:
    folders = entries(root / "sys/class/thermal", "thermal_zone*")
    return [(text_of(folder / "type") or folder.name, folder / "temp") for folder in folders]


def _celsius(millidegrees: int | None) -> float | None:
    off = millidegrees is None or millidegrees <= _OFF_MILLICELSIUS
    return None if off else (millidegrees or 0) / 1000


def find_alerts(root: Path) -> dict[str, Path]:
    """Cooling devices that stand for throttling, by their kind, with the file of their state.

    Fans and frequency caps are cooling devices too, but no alert.
    """
    found = {}
    for folder in entries(root / "sys/class/thermal", "cooling_device*"):
        kind = text_of(folder / "type")
        if kind and kind.endswith(_ALERTS):
            found[kind] = folder / "cur_state"
    return found


def throttling(root: Path) -> dict[str, int]:
    """The alerts with their state; above 0 the board is being slowed down now."""
    return _numbers(find_alerts(root))


def find_over_current(root: Path) -> dict[str, Path]:
    """The counters of the over-current monitor, by what they count."""
    for folder in entries(root / "sys/class/hwmon", "hwmon*"):
        if text_of(folder / "name") == "soctherm_oc":
            return {what: folder / f"oc{number}_event_cnt" for number, what in OVER_CURRENT.items()}
    return {}


def over_current_events(root: Path) -> dict[str, int]:
    """How often since boot the board was slowed down for its supply, by kind; empty where it does not count."""
    return _numbers(find_over_current(root))


def find_cpu_throttling(root: Path) -> dict[str, Path]:
    """An x86 CPU's own counts of how often it was too hot: of its package, which is the same for all CPUs of one."""
    counter = root / "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
    return {"package too hot": counter} if number_of(counter) is not None else {}


def _numbers(files: Mapping[str, Path]) -> dict[str, int]:
    found = {what: number_of(path) for what, path in files.items()}
    return {what: number for what, number in found.items() if number is not None}
