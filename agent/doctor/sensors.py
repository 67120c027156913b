"""Checks of what a board says of itself while it works: power, heat, throttling and clocks."""

from collections.abc import Sequence

from agent.device.clocks import Clock, all_locked, offline_cpus, read_cpu_clocks, read_gpu_clock
from agent.device.rails import read_rails, total
from agent.device.thermal import over_current_events, read_zones, throttling
from agent.doctor.board import NOT_A_JETSON
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip, warn

_HOT_CELSIUS = 85.0  # a few degrees below where Orin's software throttling begins
_JETSON_CLOCKS = (
    "sudo jetson_clocks --store /tmp/clocks && sudo jetson_clocks   # undo: --restore /tmp/clocks, or a reboot"
)


def power_rails(context: CheckContext) -> CheckResult:
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    rails = read_rails(context.root)
    whole = total(rails)
    if whole is None:
        fix = "`ls /sys/bus/i2c/drivers/ina3221/*/hwmon` as the agent's user; in a container /sys must not be hidden"
        return warn(
            "no rails", why="no INA3221 or INA238 monitor can be read: the board's power cannot be told", fix=fix
        )
    unread = [rail.label for rail in rails if rail.power_mw is None]
    shown = ", ".join(f"{rail.label} {_mw(rail.power_mw)}" for rail in rails)
    if whole.power_mw is None or unread:
        fix = "`grep . /sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/*_input` shows which"
        return warn(shown, why=f"{', '.join(unread)} cannot be read: there is no total", fix=fix)
    of = whole.of[0] if len(whole.of) == 1 else "sum of rails"
    return ok(f"{shown}; total {whole.power_mw:.0f} mW ({of})")


def temperatures(context: CheckContext) -> CheckResult:
    zones = [zone for zone in read_zones(context.root) if zone.celsius is not None]
    if not zones:
        return skip("no temperature can be read here")
    hottest = max(zones, key=lambda zone: zone.celsius or 0.0)
    found = f"{hottest.name} {hottest.celsius:.1f} °C, the hottest of {len(zones)}"
    if context.kind == "jetson" and (hottest.celsius or 0.0) >= _HOT_CELSIUS:
        return warn(
            found, why="so hot that the board will throttle under load", fix="let it cool; look at fan and heat sink"
        )
    return ok(found)


def throttle(context: CheckContext) -> CheckResult:
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    states = throttling(context.root)
    if not states:
        return skip("this board shows no throttle alerts")
    active = [kind for kind, state in states.items() if state > 0]
    if active:
        why = "the board slows itself down for heat: numbers measured now are not its own"
        return fail(
            ", ".join(active), why=why, fix="let it cool down; `sudo systemctl status nvfancontrol` shows the fan"
        )
    return ok(f"none of {len(states)} alerts")


def over_current(context: CheckContext) -> CheckResult:
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    events = over_current_events(context.root)
    if not events:
        return skip("this board does not count them")
    seen = [f"{what} {count}" for what, count in events.items() if count]
    if seen:
        why = "since it was booted the board was slowed down for its supply this often"
        fix = "use the supply and cable that came with the board, or a lower power mode; a reboot clears the counters"
        return warn(", ".join(seen), why=why, fix=fix)
    return ok("none since boot")


def gpu_clock(context: CheckContext) -> CheckResult:
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    clock = read_gpu_clock(context.root)
    if clock is None:
        fix = "`ls /sys/class/devfreq` shows what this release has; report it with `agent probe`"
        return warn("no GPU among /sys/class/devfreq", why="its clock cannot be watched while measuring", fix=fix)
    found = f"{clock.name} {_range(clock)}"
    if clock.locked:
        return ok(f"{found}, locked")
    why = "free to move: latency has several levels, and a GPU that idles between inferences answers later"
    return warn(found, why=why, fix=_JETSON_CLOCKS)


def cpu_clocks(context: CheckContext) -> CheckResult:
    clocks = read_cpu_clocks(context.root)
    if not clocks:
        return skip("no CPU's clock can be read here")
    off = offline_cpus(context.root)
    found = f"{len(clocks)} CPUs {_range(clocks[0])}" + (f", {len(off)} offline" if off else "")
    if all_locked(clocks):
        return ok(f"{found}, locked")
    if context.kind == "jetson":
        return warn(found, why="free to move: host times vary", fix=_JETSON_CLOCKS)
    return _governed(clocks, found)


def _governed(clocks: Sequence[Clock], found: str) -> CheckResult:
    if all(clock.governor == "performance" for clock in clocks):
        return ok(found)
    fix = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
    return warn(found, why="the governor moves the clock with the load: latency has several levels", fix=fix)


def _range(clock: Clock) -> str:
    low, high, now = (_mhz(value) for value in (clock.min_hz, clock.max_hz, clock.current_hz))
    governor = f", governor {clock.governor}" if clock.governor else ""
    return f"at {now} of {low}..{high} MHz{governor}"


def _mhz(hz: int | None) -> str:
    return "?" if hz is None else f"{hz / 1e6:.0f}"


def _mw(power: float | None) -> str:
    return "unreadable" if power is None else f"{power:.0f} mW"
