"""Which device a board is that enrols: one that is known, or a new one. Pure.

The id that a board sends is no proof, because every reader knows the ids of others. A known device is taken up by who
holds its key, by the board with its serial number and name, by an invitation that a person bound to its name, or,
where nobody enrolled as it yet, by its id. An invitation is a person's word either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.model.access import EnrolmentClaim
from jetfleet.errors import Conflict


@dataclass(frozen=True)
class KnownDevice:
    """A device that registered, or enrolled, or both. `key_sha256` is empty where it never enrolled."""

    device_id: str
    name: str
    hardware_serial: str
    key_sha256: str = ""
    online: bool = False


def device_of_claim(claim: EnrolmentClaim, bound_name: str, known: Sequence[KnownDevice], *, new_id: str) -> str:
    """The id of the device; `new_id` where the board's own is another's. Raises Conflict where it cannot be said."""
    holder = next((item for item in known if item.key_sha256 == claim.key_sha256), None)
    if holder is not None:
        return _accepted(holder, bound_name, known)
    name = bound_name or claim.name
    namesake = next((item for item in known if item.name == name), None)
    if namesake is not None and _is_same_board(claim, namesake, is_bound=bool(bound_name)):
        return _accepted(_offline(namesake), bound_name, known)
    if namesake is not None and bound_name:
        raise Conflict(
            f"the name {bound_name} is that of another board (serial {namesake.hardware_serial or 'unknown'})",
            hint=f"invite it by another name, or first: controller devices remove {bound_name}",
        )
    same_id = next((item for item in known if item.device_id == claim.device_id), None)
    if same_id is None:
        return claim.device_id
    if not same_id.key_sha256 and not _differ(claim.hardware_serial, same_id.hardware_serial):
        return _accepted(_offline(same_id), bound_name, known)
    return new_id


def _is_same_board(claim: EnrolmentClaim, device: KnownDevice, *, is_bound: bool) -> bool:
    same_serial = bool(claim.hardware_serial) and claim.hardware_serial == device.hardware_serial
    return same_serial or (is_bound and not _differ(claim.hardware_serial, device.hardware_serial))


def _differ(one: str, other: str) -> bool:
    return bool(one) and bool(other) and one != other


def _offline(device: KnownDevice) -> KnownDevice:
    if device.online:
        raise Conflict(
            f"{device.name} is online, with another key",
            hint=f"stop the agent there; if that is not the same board: controller devices revoke {device.name}",
        )
    return device


def _accepted(device: KnownDevice, bound_name: str, known: Sequence[KnownDevice]) -> str:
    other = next((item for item in known if item.name == bound_name and item.device_id != device.device_id), None)
    if bound_name and other is not None:
        raise Conflict(f"the name {bound_name} is taken, and this board is {device.name}")
    return device.device_id
