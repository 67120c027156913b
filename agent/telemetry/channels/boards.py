"""Channels of boards, all of files: rails, heat, throttling, over-current, clocks and fan. Most are a Jetson's.

Where the files are is told by agent.device; which of them can be read is found once, when a measurement begins.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.device.clocks import cpu_clock_files, emc_clock_file, gpu_folder
from agent.device.files import entries, text_of
from agent.device.rails import RailMonitor, covered, find_rails, total_of
from agent.device.thermal import find_alerts, find_cpu_throttling, find_over_current, find_zones
from agent.telemetry.channels.channel import (
    EVERY_S,
    SLOWLY_S,
    Absent,
    Channel,
    FileSensor,
    NumberFile,
    Product,
    Sensor,
    file_sensors,
    reason_of,
)

_MOST_CPU_CLOCKS = 8  # of a server's hundred: these tell whether clocks moved
_FAN_MONITORS = frozenset({"pwmfan", "pwm-fan", "pwm_tach", "tachometer"})


def rails(root: Path) -> Iterator[Sensor | Absent]:
    """One sensor for each rail: a monitor is slow to answer, and each value has a moment of its own."""
    monitors = find_rails(root)
    if not monitors:
        yield Absent("power rails", "no INA3221 or INA238 monitor below /sys/bus/i2c/drivers")
        return
    labels = [monitor.label for monitor in monitors]
    for monitor in monitors:
        try:
            yield _rail(monitor, (covered(labels) or "") if monitor.label in total_of(labels) else "")
        except OSError as error:
            yield Absent(f"power.{monitor.label}", reason_of(error))


def _rail(monitor: RailMonitor, covers: str) -> Sensor:
    readable, source, step_w = _readable(monitor)
    channel = Channel(
        f"power.{monitor.label}",
        "W",
        f"{source} ({monitor.monitor})",
        every_s=max(EVERY_S, monitor.conversion_s or 0.0),
        covers=covers,
        conversion_s=monitor.conversion_s,
        step_w=step_w,
    )
    return FileSensor([(channel, readable)])


def _readable(monitor: RailMonitor) -> tuple[NumberFile | Product, str, float | None]:
    """How a rail is read, from where, and the smallest step of it."""
    if monitor.volts is None or monitor.amperes is None:
        path = monitor.power or Path()
        return NumberFile(path, scale=1e-6), str(path), None
    volts = NumberFile(monitor.volts, scale=1e-3)
    step_w = volts.read() * monitor.step_a if monitor.step_a else None
    amperes = NumberFile(monitor.amperes, scale=1e-3)
    return Product(volts, amperes), f"{monitor.volts} x {monitor.amperes.name}", step_w


def heat(root: Path) -> Iterator[Sensor | Absent]:
    """Temperatures, seldom: on a Jetson each one is a question to another processor. A zone that is off is left out."""
    zones = find_zones(root)
    if not zones:
        yield Absent("temperatures", "no thermal zone below /sys/class/thermal can be read")
    found = [(f"temperature.{name}", path) for name, path in zones.items()]
    yield from file_sensors((Channel(name, "°C", str(path), SLOWLY_S), 1e-3) for name, path in found)


def throttling(root: Path) -> Iterator[Sensor | Absent]:
    """What a board raises while it slows itself down, and what it counts."""
    alerts, counters = find_alerts(root), find_over_current(root) | find_cpu_throttling(root)
    if not alerts:
        yield Absent("throttle alerts", "no cooling device is one")
    if not counters:
        yield Absent(
            "throttle counters", "neither soctherm_oc below /sys/class/hwmon nor an x86 CPU's thermal_throttle"
        )
    yield from file_sensors((Channel(f"alert.{kind}", "state", str(path)), 1.0) for kind, path in alerts.items())
    yield from file_sensors(
        (Channel(f"events.{what}", "count", str(path), counts=True), 1.0) for what, path in counters.items()
    )


def clocks(root: Path) -> Iterator[Sensor | Absent]:
    """Where the clocks stand. Those of CPUs that nobody uses say nothing, and a server has many: the first few."""
    gpu, emc, cpus = gpu_folder(root), emc_clock_file(root), cpu_clock_files(root)
    files: dict[str, tuple[Path, float]] = {}
    if gpu is not None:
        files["clock.gpu"] = (gpu / "cur_freq", 1e-6)
        if emc is None:
            yield Absent("clock.emc", "only root may read the memory's clock on this board")
        else:
            files["clock.emc"] = (emc, 1e-6)
    if not cpus:
        yield Absent("CPU clocks", "no cpufreq below /sys/devices/system/cpu: a virtual machine hides them")
    for name, path in list(cpus.items())[:_MOST_CPU_CLOCKS]:
        files[f"clock.{name}"] = (path, 1e-3)
    yield from _files(files, "MHz")
    if gpu is not None and (gpu / "device/load").exists():
        yield from _files({"load.gpu": (gpu / "device/load", 0.1)}, "%")


def fan(root: Path) -> Iterator[Sensor | Absent]:
    files: dict[str, Path] = {}
    for hwmon in entries(root / "sys/class/hwmon", "hwmon*"):
        if text_of(hwmon / "name") in _FAN_MONITORS:
            names = {"pwm1": "fan.pwm", "fan1_input": "fan.rpm", "rpm": "fan.rpm"}
            files |= {name: hwmon / file for file, name in names.items() if (hwmon / file).exists()}
    if not files:
        yield Absent("fan", "no fan below /sys/class/hwmon")
    units = {"fan.pwm": "of 255", "fan.rpm": "1/min"}
    yield from file_sensors((Channel(name, units[name], str(path), SLOWLY_S), 1.0) for name, path in files.items())


def _files(files: Mapping[str, tuple[Path, float]], unit: str) -> Iterator[Sensor | Absent]:
    yield from file_sensors((Channel(name, unit, str(path)), scale) for name, (path, scale) in files.items())
