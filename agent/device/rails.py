"""A board's power rails as its INA3221 and INA238 monitors give them to anybody: which there are, and their total."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import entries, number_of, text_of

# The rail in front of all others, where a board measures it: Thor, the small modules, the old Nano.
_WHOLE = {"VIN": "the board's input", "VDD_IN": "the module's input", "POM_5V_IN": "the module's input"}
_CHANNELS = (1, 2, 3)  # a seventh is the monitor's own sum over its shunts
# INA3221: 13 bits, of 40 uV over the shunt and of 8 mV on the bus.
_SHUNT_STEP_UV = 40.0


@dataclass(frozen=True)
class RailMonitor:
    """Where one rail is read: volts in mV and amperes in mA, or the power in uW where the monitor multiplies by itself.

    `conversion_s` passes between two values of the monitor, averaging included; `step_a` is the smallest difference of
    the current that it can see. None is unknown.
    """

    label: str
    monitor: str
    volts: Path | None = None
    amperes: Path | None = None
    power: Path | None = None
    conversion_s: float | None = None
    step_a: float | None = None

    def read(self) -> "Rail":
        if self.power is not None:
            power_uw = number_of(self.power)
            return Rail(self.label, None if power_uw is None else power_uw / 1000)
        volts_mv, amperes_ma = (number_of(path) if path else None for path in (self.volts, self.amperes))
        known = volts_mv is not None and amperes_ma is not None
        return Rail(self.label, (volts_mv or 0) * (amperes_ma or 0) / 1000 if known else None)


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


def find_rails(root: Path) -> list[RailMonitor]:
    """Every rail in the order of the monitors' addresses. Found by driver: hwmon numbers change from boot to boot."""
    drivers = root / "sys/bus/i2c/drivers"
    rails = [rail for hwmon in entries(drivers, "ina3221/*/hwmon/hwmon*") for rail in _ina3221(hwmon)]
    return rails + [_ina238(hwmon) for hwmon in entries(drivers, "ina238/*/hwmon/hwmon*")]


def read_rails(root: Path) -> list[Rail]:
    return [monitor.read() for monitor in find_rails(root)]


def total_of(labels: Sequence[str]) -> tuple[str, ...]:
    """The rails that a board's total consists of: the input, where the board measures it, else all."""
    return next(((label,) for label in _WHOLE if label in labels), tuple(labels))


def covered(labels: Sequence[str]) -> str | None:
    """What a total covers, in words; None without rails."""
    if not labels:
        return None
    (first, *others) = total_of(labels)
    return f"{first}, {_WHOLE[first]}" if first in _WHOLE else f"the sum of {' + '.join([first, *others])}"


def total(rails: Sequence[Rail]) -> Total | None:
    """The input rail, where the board has one; else the sum of all. None without rails."""
    if not rails:
        return None
    of = total_of([rail.label for rail in rails])
    powers = [rail.power_mw for rail in rails if rail.label in of]
    known = [power for power in powers if power is not None]
    return Total(sum(known) if len(known) == len(powers) else None, of)


def _ina3221(hwmon: Path) -> Iterator[RailMonitor]:
    """Volts and amperes per channel: inN_input in mV, currN_input in mA. Channels labelled NC are not connected."""
    for channel in _CHANNELS:
        label = text_of(hwmon / f"in{channel}_label")
        if label is None or label == "NC":
            continue
        shunt_uohm = number_of(hwmon / f"shunt{channel}_resistor")
        yield RailMonitor(
            label,
            f"INA3221 {_averaging(hwmon)}".strip(),
            volts=hwmon / f"in{channel}_input",
            amperes=hwmon / f"curr{channel}_input",
            conversion_s=_conversion_s(hwmon),
            step_a=_SHUNT_STEP_UV / shunt_uohm if shunt_uohm else None,
        )


def _ina238(hwmon: Path) -> RailMonitor:
    """Thor's input: the monitor multiplies by itself, power1_input in microwatts."""
    label = text_of(hwmon / "in1_label") or "VIN"
    return RailMonitor(label, "INA238", power=hwmon / "power1_input", conversion_s=_conversion_s(hwmon))


def _conversion_s(hwmon: Path) -> float | None:
    """hwmon's update_interval is that of all channels of a monitor together, averaging included, in milliseconds."""
    interval_ms = number_of(hwmon / "update_interval")
    return interval_ms / 1000 if interval_ms else None


def _averaging(hwmon: Path) -> str:
    samples = number_of(hwmon / "samples")
    return f"averaging {samples}" if samples else ""
