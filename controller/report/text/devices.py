"""Devices as tables: the fleet at a glance, and all that is known about one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from controller.model.facts import FACT_TYPES, shown
from controller.model.natural import natural
from controller.model.result import Provenance
from controller.model.view import DeviceView
from controller.report.text.table import Table
from controller.report.text.words import UNKNOWN, moment, one_line


def devices_table(devices: Sequence[DeviceView], *, now: datetime | None = None) -> Table:
    """`now` is the moment that ages are told at."""
    now = now or datetime.now(timezone.utc)
    return Table(
        columns=(
            "device",
            "state",
            "hardware",
            "kind",
            "jetpack",
            "power mode",
            "runtimes",
            "busy with",
            "last seen",
            "certificate",
        ),
        rows=[
            (
                device.name,
                state(device),
                _hardware(device),
                kind(device),
                shown(device.facts.get("jetpack")),
                shown(device.facts.get("power_mode")),
                _runtimes(device),
                device.busy_with,
                moment(device.last_seen_at),
                certificate(device, now=now),
            )
            for device in sorted(devices, key=lambda device: natural(device.name))
        ],
        folding=frozenset({"state", "hardware", "runtimes", "busy with"}),
        optional=("certificate", "last seen", "power mode", "busy with", "kind", "runtimes", "jetpack"),
        empty="no device has ever registered: enrol one with `controller enroll new`, or submit with --local",
    )


def device_table(device: DeviceView, *, controller_version: str) -> Table:
    """Every fact there is a name for, known or not, then runtimes and labels."""
    about = [
        ("id", device.id),
        ("name", device.name),
        ("state", state(device)),
        ("cordoned", device.cordoned or "no"),
        ("paused", device.paused or "no"),
        ("busy with", device.busy_with or "nothing"),
        ("last seen", moment(device.last_seen_at)),
        ("idle because", _why_idle(device)),
        ("agent", _agent(device, controller_version=controller_version)),
        ("disk free", UNKNOWN if device.disk_free_bytes is None else f"{device.disk_free_bytes / 1e9:.1f} GB"),
        ("clock", _clock(device)),
        ("bench domain", device.bench_domain or UNKNOWN),
        ("certificate", _whole_certificate(device)),
        ("results that did not count", _uncounted(device)),
    ]
    about += [
        (f"dead letter {letter.id}", f"{moment(letter.received_at)}, task {letter.task_id}: {one_line(letter.reason)}")
        for letter in device.dead_letters
    ]
    families = sorted(key for key in device.facts if key not in FACT_TYPES)
    facts = [(key, shown(device.facts.get(key))) for key in (*FACT_TYPES, *families)]
    return Table(columns=("fact", "value"), rows=[*about, *facts], folding=frozenset({"value"}))


def upgrades_table(upgrades: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        columns=("device", "version", "wanted", "install", "first, here", "then, on the board"),
        rows=[
            (
                item["device"],
                item["version"] or UNKNOWN,
                item["wanted"],
                item["install"] or UNKNOWN,
                item["prepare"] or "",
                item["command"] or "as it was installed",
            )
            for item in upgrades
        ],
        folding=frozenset({"first, here", "then, on the board"}),
        empty="every agent has the version of its controller",
    )


def _why_idle(device: DeviceView) -> str:
    """The scheduler gives a board that may work whatever fits it, at once."""
    if device.busy_with:
        return "it works"
    if device.refused:
        return device.refused
    if not device.online:
        return f"not heard from since {moment(device.last_seen_at)}"
    return device.cordoned or device.paused or "nothing that is ready fits it"


def _uncounted(device: DeviceView) -> str:
    """Late ones; dead letters have lines of their own."""
    dropped = f", {device.dropped_results} older ones were dropped" if device.dropped_results else ""
    return f"{device.late_results} kept{dropped}"


def _clock(device: DeviceView) -> str:
    if device.clock_ahead_s is None:
        return UNKNOWN
    return f"{device.clock_ahead_s:+.3f} s against the controller's, within {device.clock_bound_s:.3f} s"


def _agent(device: DeviceView, *, controller_version: str) -> str:
    if not device.agent_version:
        return UNKNOWN
    behind = device.agent_version != controller_version
    return f"{device.agent_version}, and the controller {controller_version}" if behind else device.agent_version


def state(device: DeviceView) -> str:
    if device.refused:
        return f"refused: {device.refused}"
    if device.cordoned:
        return "draining" if device.busy_with else "cordoned"
    if not device.online:
        return "offline"
    return f"paused: {device.paused}" if device.paused else "online"


def certificate(device: DeviceView, *, now: datetime) -> str:
    """How old it is, and what is wrong with it; empty where the device did not enrol."""
    issued, expires = device.certificate_issued_at, device.certificate_expires_at
    if issued is None or expires is None:
        return ""
    if device.certificate_revoked_at is not None:
        return "revoked"
    return "expired" if expires <= now else f"{max(0, (now - issued).days)} d old"


def _whole_certificate(device: DeviceView) -> str:
    said = certificate(device, now=datetime.now(timezone.utc))
    if not said or device.certificate_expires_at is None:
        return "none: over the socket"
    return f"{said}, until {moment(device.certificate_expires_at)}"


def kind(device: DeviceView) -> str:
    """Whether its numbers will be real; a device that does not say is not taken for simulated."""
    return Provenance.SIMULATED.value if device.facts.get("simulated") is True else "real"


def _hardware(device: DeviceView) -> str:
    """The most telling name that the device knows of itself."""
    return next(
        (shown(device.facts[key]) for key in ("sku", "module", "gpu", "cpu_model") if key in device.facts), UNKNOWN
    )


def _runtimes(device: DeviceView) -> str:
    found = sorted(key for key in device.facts if key.startswith("runtime."))
    return ", ".join(f"{key.removeprefix('runtime.')} {shown(device.facts[key])}" for key in found) or UNKNOWN
