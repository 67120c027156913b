"""Which command of the store a ChangeDevice asks for."""

import re
from collections.abc import Collection
from functools import partial

from controller.store.commands import devices
from controller.store.sqlite.writer import Work
from jetfleet.errors import BadInput
from jetfleet.v1 import control_pb2

_AGENT_ID = re.compile(r"[0-9a-f]{32}")


def device_change(request: control_pb2.ChangeDeviceRequest, *, alive: Collection[str]) -> Work[str]:
    """Raises BadInput for a change that this version does not know, and for an id that no agent has."""
    name, asked = request.device, request.WhichOneof("change")
    if asked == "adopt" and not _AGENT_ID.fullmatch(request.adopt):
        raise BadInput(
            f"{request.adopt[:80]!r} is not a valid id of an agent",
            expected="32 hexadecimal digits, as the refused agent says",
        )
    commands: dict[str, Work[str]] = {
        "rename": partial(devices.rename, name=name, new=request.rename),
        "label": partial(devices.label, name=name, labels=dict(request.label.labels)),
        "cordon": partial(devices.cordon, name=name, reason=request.cordon),
        "uncordon": partial(devices.uncordon, name=name),
        "remove": partial(devices.remove, name=name, force=request.remove.force, alive=alive),
        "adopt": partial(devices.adopt, name=name, device_id=request.adopt),
    }
    if asked is None or asked not in commands:
        raise BadInput("a change of a device that says nothing")
    return commands[asked]
