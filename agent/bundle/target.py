"""Whether this machine is one that the bundle's engine was built for: the same runtime, the same class of device."""

from collections.abc import Mapping

from google.protobuf.message import Message

from jetfleet.bundle import Manifest

_UNKNOWN = "unknown"


def mismatches(manifest: Manifest, facts: Message) -> list[str]:
    """What differs, in words; empty where the engine may be loaded as it is.

    A fact that was unknown where it was built is not asked for: nobody can match it, and loading is the judge.
    """
    found = []
    here = runtime_version(facts, manifest.runtime)
    if here != manifest.runtime_version:
        found.append(f"{manifest.runtime} is {here or 'not installed'}, the engine is of {manifest.runtime_version}")
    known: Mapping[str, str] = {name: value for name, value in manifest.device.items() if value != _UNKNOWN}
    for name, value in sorted(known.items()):
        mine = fact_text(facts, name)
        if mine is not None and mine != value:
            found.append(f"{name} is {mine}, the engine is for {value}")
    return found


def runtime_version(facts: Message, name: str) -> str:
    """As the device announces it; empty where the runtime is not there."""
    versions: Mapping[str, str] = getattr(facts, "runtimes", {})
    return versions.get(name, "")


def fact_text(facts: Message, name: str) -> str | None:
    """A fact as the controller shows it; None where this agent does not know it by that name."""
    field = facts.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        return None
    value = getattr(facts, name)
    if not isinstance(value, (str, int, float)):  # repeated words
        return " ".join(value) or _UNKNOWN
    if field.has_presence and not facts.HasField(name):
        return _UNKNOWN
    return str(value).lower() if isinstance(value, bool) else str(value)
