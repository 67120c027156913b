"""Devices as data: what stands under `devices` and `device`."""

from typing import Any, TypeAlias

from controller.model.view import DeviceView
from controller.record.results import facts_record
from jetfleet.releases import agent_image

Record: TypeAlias = dict[str, Any]

_NATIVE = (
    "sudo /opt/jetfleet/bin/pip install 'jetfleet[agent]=={version}' && sudo /opt/jetfleet/bin/agent install --native"
)


def device_record(device: DeviceView) -> Record:
    return {
        "id": device.id,
        "name": device.name,
        "online": device.online,
        "cordoned": device.cordoned or None,
        "paused": device.paused or None,
        "busy_with": device.busy_with or None,
        "last_seen_at": device.last_seen_at.isoformat(),
        "agent_version": device.agent_version or None,
        "bench_domain": device.bench_domain or None,
        "dead_letters": [
            {
                "id": letter.id,
                "task_id": letter.task_id,
                "attempt": letter.attempt_token,
                "reason": letter.reason,
                "received_at": letter.received_at.isoformat(),
            }
            for letter in device.dead_letters
        ],
        "late_results": device.late_results,
        "dropped_results": device.dropped_results,
        "certificate": _certificate(device),
        "refused": device.refused or None,
        "disk_free_bytes": device.disk_free_bytes,
        "clock_ahead_s": device.clock_ahead_s,
        "clock_bound_s": None if device.clock_ahead_s is None else device.clock_bound_s,
        "facts": facts_record(device.facts),
    }


def upgrade_record(device: DeviceView, *, wanted: str) -> Record | None:
    """How a board comes to the controller's version; None where it has it. A command is for the board itself."""
    if device.agent_version == wanted and not device.refused:
        return None
    how = install_kind(device)
    return {
        "device": device.name,
        "online": device.online,
        "version": device.agent_version or None,
        "wanted": wanted,
        "install": how,
        "prepare": f"controller image --for {device.name} --build" if how == "container" else None,
        "command": _command(device, how, wanted),
        "refused": device.refused or None,
    }


def _command(device: DeviceView, how: str | None, wanted: str) -> str | None:
    """As docs/deploy.md has it; an image is called what `controller image` calls it."""
    if how is None:
        return None
    if how == "native":
        return _NATIVE.format(version=wanted)
    release = device.facts.get("l4t")
    return f"sudo agent install --container --image {agent_image(wanted, str(release) if release else None)}"


def install_kind(device: DeviceView) -> str | None:
    """By what confines the agent; None where it never said."""
    confined = device.facts.get("container")
    if confined is None:
        return None
    return "native" if confined == "none" else "container"


def _certificate(device: DeviceView) -> Record | None:
    """None where it did not enrol: it came over the controller's socket."""
    issued, expires, revoked = (
        device.certificate_issued_at,
        device.certificate_expires_at,
        device.certificate_revoked_at,
    )
    if issued is None or expires is None:
        return None
    return {
        "issued_at": issued.isoformat(),
        "expires_at": expires.isoformat(),
        "revoked_at": revoked and revoked.isoformat(),
    }
