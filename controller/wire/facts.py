"""Facts, proto <-> model, by hand: a typed message on the wire, a flat mapping inside."""

from typing import Any

from controller.model.facts import FACT_TYPES, FAMILIES, Facts, FactType, FactValue
from controller.wire.codec import MessageByHand
from jetfleet.errors import BadInput
from jetfleet.v1 import task_pb2

_FAMILIES = {"runtime": "runtimes", "label": "labels"}

if (
    set(task_pb2.Facts.DESCRIPTOR.fields_by_name) != {*FACT_TYPES, *_FAMILIES.values()}
    or _FAMILIES.keys() != FAMILIES.keys()
):
    raise TypeError("the message Facts and the table of facts differ")


def facts_from_pb(message: task_pb2.Facts) -> Facts:
    """Only what is known: an absent field makes no key."""
    found: dict[str, FactValue] = {}
    for descriptor, value in message.ListFields():
        kind = FACT_TYPES.get(descriptor.name)
        if kind is not None:
            found[descriptor.name] = tuple(value) if kind is FactType.SET else value
    found.update({f"runtime.{name}": version for name, version in message.runtimes.items()})
    found.update({f"label.{name}": value for name, value in message.labels.items()})
    return found


def fact_fields(facts: Facts) -> dict[str, Any]:
    """The fields of the message. Raises BadInput for a key that is not a fact."""
    fields: dict[str, Any] = {name: {} for name in _FAMILIES.values()}
    for key, value in facts.items():
        family, dot, member = key.partition(".")
        if dot and family in _FAMILIES:
            fields[_FAMILIES[family]][member] = str(value)
        elif key in FACT_TYPES:
            fields[key] = value
        else:
            raise BadInput(f"{key!r} is not a fact")
    return fields


FACTS = MessageByHand(Facts, task_pb2.Facts, fact_fields, facts_from_pb)
