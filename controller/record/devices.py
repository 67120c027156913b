"""Devices as data: what stands under `devices` and `device`."""

from typing import Any, TypeAlias

from controller.model.view import DeviceView
from controller.record.results import facts_record

Record: TypeAlias = dict[str, Any]


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
        "certificate": _certificate(device),
        "facts": facts_record(device.facts),
    }


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
