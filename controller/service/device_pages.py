"""What the service itself knows of devices, beside what the database does: their pulses, and who is turned away."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone

from controller.model.view import DeviceView
from controller.service.context import ServiceContext
from controller.service.skew import TurnedAway
from controller.store.queries.devices import known_ids


def described(views: Sequence[DeviceView], service: ServiceContext) -> list[DeviceView]:
    liveness, boards = service.liveness, service.boards
    open_sessions = {session: board.device_id for session, board in boards.items() if session in liveness.pulses}
    pulses = {device_id: asdict(liveness.pulses[session]) for session, device_id in open_sessions.items()}
    refused = {item.caller: item.why for item in service.skew.recent().values()}
    return [
        replace(view, **(pulses.get(view.id, {}) if view.online else {}), refused=refused.get(view.id, ""))
        for view in views
    ]


async def strangers(service: ServiceContext) -> list[DeviceView]:
    """Boards that were turned away before this controller ever knew them."""
    recent = service.skew.recent()
    if not recent:
        return []
    known = await service.read(known_ids)
    return [_stranger(item) for item in recent.values() if item.caller not in known]


def _stranger(item: TurnedAway) -> DeviceView:
    return DeviceView(
        id=item.caller,
        name=item.name or item.caller[:8],
        online=False,
        busy_with="",
        cordoned="",
        facts={},
        last_seen_at=datetime.fromtimestamp(item.at, timezone.utc),
        bench_domain="",
        agent_version=item.version,
        refused=item.why,
    )
