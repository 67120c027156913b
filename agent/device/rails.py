"""A board's power rails as its INA3221 and INA238 monitors give them to anybody: which there are, and their total."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import entries, number_of, text_of

# The rail in front of all others, where a board measures it: Thor, the small modules, the old Nano.
_WHOLE = ("VIN", "VDD_IN", "POM_5V_IN")
_CHANNELS = (1, 2, 3)  # a seventh is the monitor's own sum over its shunts


@dataclass(frozen=True)
class Rail:
    """One rail. `power_mw` is None where its monitor cannot be read now."""

    label: str
    power_mw: float | None


@dataclass(frozen=True)
class Total:
    """What the board takes, and the rails that were added up for it. `power_mw` is None unless all could be read."""

    power_mw: float | None
    of: tuple[str, ...]


def read_rails(root: Path) -> list[Rail]:
    """Every rail in the order of the monitors' addresses. Found by driver: hwmon numbers change from boot to boot."""
    drivers = root / "sys/bus/i2c/drivers"
    rails = [rail for hwmon in entries(drivers, "ina3221/*/hwmon/hwmon*") for rail in _ina3221(hwmon)]
    return rails + [_ina238(hwmon) for hwmon in entries(drivers, "ina238/*/hwmon/hwmon*")]


def total(rails: Sequence[Rail]) -> Total | None:
    """The input rail, where the board has one; else the sum of all. None without rails."""
    if not rails:
        return None
    for label in _WHOLE:
        whole = next((rail for rail in rails if rail.label == label), None)
        if whole is not None:
            return Total(whole.power_mw, (label,))
    powers = [rail.power_mw for rail in rails]
    known = [power for power in powers if power is not None]
    return Total(sum(known) if len(known) == len(powers) else None, tuple(rail.label for rail in rails))


def _ina3221(hwmon: Path) -> Iterator[Rail]:
    """Volts and amperes per channel: inN_input in mV, currN_input in mA. Channels labelled NC are not connected."""
    for channel in _CHANNELS:
        label = text_of(hwmon / f"in{channel}_label")
        if label is None or label == "NC":
            continue
        volts_mv, amperes_ma = number_of(hwmon / f"in{channel}_input"), number_of(hwmon / f"curr{channel}_input")
        known = volts_mv is not None and amperes_ma is not None
        yield Rail(label, (volts_mv or 0) * (amperes_ma or 0) / 1000 if known else None)


def _ina238(hwmon: Path) -> Rail:
    """Thor's input: the monitor multiplies by itself, power1_input in microwatts."""
    power_uw = number_of(hwmon / "power1_input")
    return Rail(text_of(hwmon / "in1_label") or "VIN", None if power_uw is None else power_uw / 1000)
