"""Which devices a target means: conditions against facts. An unknown fact never matches."""

from collections.abc import Iterable, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from controller.model.facts import DEVICE_NAME, FactType, FactValue, fact_type, shown
from controller.model.job import Condition, Op
from controller.model.task import Device
from jetfleet.errors import BadInput


def matches(conditions: Iterable[Condition], device: Device) -> bool:
    return not unmet(conditions, device)


def unmet(conditions: Iterable[Condition], device: Device) -> list[Condition]:
    """The conditions that a device does not meet, in their order."""
    return [condition for condition in conditions if not _meets(device, condition)]


def _meets(device: Device, condition: Condition) -> bool:
    if condition.fact == DEVICE_NAME:
        return bool({device.name, device.id} & set(condition.values))
    return holds(condition, device.facts.get(condition.fact))


def holds(condition: Condition, value: FactValue | None) -> bool:
    """Raises BadInput if the condition is a version range that cannot be read."""
    if value is None:
        return False
    if condition.op is Op.VERSION:
        return _in_range(condition, value)
    if isinstance(value, tuple):
        return any(wanted in value for wanted in condition.values)
    return any(_equal(wanted, value, fact_type(condition.fact)) for wanted in condition.values)


def _equal(wanted: str, value: FactValue, kind: FactType | None) -> bool:
    if kind is FactType.VERSION:
        try:
            return Version(wanted) == Version(str(value))
        except InvalidVersion:
            return wanted == value
    return wanted.lower() == shown(value) if isinstance(value, bool) else wanted == str(value)


def _in_range(condition: Condition, value: FactValue) -> bool:
    try:
        return SpecifierSet(condition.values[0]).contains(Version(str(value)), prereleases=True)
    except InvalidVersion:
        return False
    except InvalidSpecifier:
        raise BadInput(
            f"{condition.values[0]!r} is not a version range", where=condition.fact, expected="PEP 440, as in >=6.1,<7"
        ) from None


def nearest_miss(conditions: Sequence[Condition], devices: Iterable[Device]) -> str:
    """The device that comes closest, and what it lacks: the sentence that makes a "no device" error useful."""
    ranked = sorted(((unmet(conditions, device), device) for device in devices), key=lambda pair: len(pair[0]))
    if not ranked:
        return "no device has ever registered"
    missing, device = ranked[0]
    lacks = ", ".join(f"{item} (its {item.fact} is {_value(device, item.fact)})" for item in missing)
    return f"nearest: {device.name}, which misses {lacks}"


def _value(device: Device, fact: str) -> str:
    return device.name if fact == DEVICE_NAME else shown(device.facts.get(fact))
