"""Questions about power, clocks and heat: what can be read, by what names, and whether figures agree."""

from pathlib import Path

from agent.device.files import entries, own_or_host, text_of
from agent.device.nvpmodel import read_power_modes
from agent.device.rails import read_rails
from agent.doctor.check import CheckContext
from agent.doctor.settle.question import CouldNotAsk, Question

# The memory clock: as root, on Thor, and what a power mode caps it to.
_EMC = (
    "sys/kernel/debug/bpmp/debug/clk/emc/rate",
    "sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked",
    "sys/kernel/debug/clk/emc/clk_rate",
    "sys/class/devfreq/bwmgr/cur_freq",
    "sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
    "sys/kernel/nvpmodel_clk_cap/emc",
)
# Below host1x, which is below a bus on newer kernels: looking everywhere would take long.
_DEPTHS = ("", "*/", "*/*/")
_WHOLE = ("VIN", "VDD_IN", "VIN_SYS_5V0")


def power_modes(context: CheckContext) -> str:
    found = read_power_modes(context.root)
    if not found.modes:
        raise CouldNotAsk("there is no /etc/nvpmodel.conf here")
    default = next(
        (
            word.partition("=")[2]
            for word in (own_or_host(context.root, "etc/nvpmodel.conf") or "").split()
            if word.startswith("DEFAULT=")
        ),
        "?",
    )
    status = own_or_host(context.root, "var/lib/nvpmodel/status") or "no status file"
    modes = ", ".join(f"{number} {name}" for number, name in found.modes.items())
    return f"{modes}; now {found.current or 'unknown'} ({status}); default {default}"


def devfreq(context: CheckContext) -> str:
    found = []
    for folder in entries(context.root / "sys/class/devfreq", "*"):
        node = text_of(folder / "device/of_node/name") or "?"
        values = [_read(folder / name) for name in ("cur_freq", "min_freq", "max_freq", "governor")]
        load = _read(folder / "device/load")
        found.append(f"{folder.name} ({node}) {' '.join(values)} load {load}")
    return "; ".join(found) or "no devfreq device"


def emc(context: CheckContext) -> str:
    return "; ".join(f"/{name} {_read(context.root / name)}" for name in _EMC)


def monitors(context: CheckContext) -> str:
    """Each monitor with its averaging, which decides how fast its figures can follow."""
    drivers = context.root / "sys/bus/i2c/drivers"
    folders = [*entries(drivers, "ina3221/*/hwmon/hwmon*"), *entries(drivers, "ina238/*/hwmon/hwmon*")]
    if not folders:
        raise CouldNotAsk("no INA3221 and no INA238 is bound to a driver here")
    found = []
    for folder in folders:
        values = ", ".join(f"{name} {_read(folder / name)}" for name in ("update_interval", "samples", "power1_input"))
        labels = [text_of(path) or "?" for path in entries(folder, "in[123]_label")]
        found.append(f"{folder.parents[1].name} [{', '.join(labels)}] {values}")
    return "; ".join(found)


def rails(context: CheckContext) -> str:
    """Whether the rails add up to the input, or an input counts what the others are part of."""
    found = read_rails(context.root)
    if not found:
        raise CouldNotAsk("no power rail can be read here")
    shown = ", ".join(f"{rail.label} {_mw(rail.power_mw)}" for rail in found)
    known = {rail.label: rail.power_mw for rail in found if rail.power_mw is not None}
    inputs = [label for label in known if label in _WHOLE]
    parts = sum(power for label, power in known.items() if label not in _WHOLE)
    against = "; ".join(f"{label} {known[label]:.0f} mW against {parts:.0f} mW of the others" for label in inputs)
    return f"{shown}; sum of all {sum(known.values()):.0f} mW; {against or 'no input rail'}"


def dla_state(context: CheckContext) -> str:
    folder = context.root / "sys/devices/platform"
    nodes = [path for depth in _DEPTHS for path in entries(folder, f"{depth}*nvdla*/power/runtime_status")]
    clocks = entries(context.root / "sys/kernel/debug/clk", "*dla*")
    states = [f"{path.parents[1].name} {_read(path)}" for path in nodes]
    return f"{'; '.join(states) or 'no nvdla platform device'}; {len(clocks)} DLA clocks in debugfs"


def heat(context: CheckContext) -> str:
    zones = [
        f"{text_of(folder / 'type') or folder.name} {_read(folder / 'temp')}"
        for folder in entries(context.root / "sys/class/thermal", "thermal_zone*")
    ]
    kinds = sorted(
        {text_of(path) or "?" for path in entries(context.root / "sys/class/thermal", "cooling_device*/type")}
    )
    over = [
        f"{path.name} {_read(path)}"
        for folder in entries(context.root / "sys/class/hwmon", "hwmon*")
        if text_of(folder / "name") == "soctherm_oc"
        for path in entries(folder, "oc*")
    ]
    return (
        f"{', '.join(zones) or 'no zone'}; cooling: {', '.join(kinds) or 'none'}; {', '.join(over) or 'no soctherm_oc'}"
    )


def _read(path: Path) -> str:
    """The content, or why there is none: a file that root alone may read is an answer, too."""
    try:
        return " ".join(path.read_bytes().decode("utf-8", "replace").replace("\0", " ").split()) or "(empty)"
    except OSError as error:
        return f"({error.strerror or error})"


def _mw(power: float | None) -> str:
    return "unreadable" if power is None else f"{power:.0f} mW"


QUESTIONS = (
    Question("power modes", "which modes by id and name, and which is in force?", "/etc/nvpmodel.conf", power_modes),
    Question("devfreq", "which clocks can be read without root?", "/sys/class/devfreq", devfreq),
    Question("EMC", "can the memory clock be read as this user?", "debugfs, bwmgr and nvpmodel's caps", emc),
    Question("power monitors", "how do they average?", "update_interval and samples of ina3221, ina238", monitors),
    Question("rails", "does the sum of rails count twice against the input?", "volts times amperes, once", rails),
    Question("DLA state", "does runtime_status show a DLA at work without root?", "nvdla platform devices", dla_state),
    Question("heat", "what do zones, alerts and over-current counters look like?", "/sys/class/thermal, hwmon", heat),
)
