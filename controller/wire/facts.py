"""Facts, proto <-> model: a typed message on the wire, a flat mapping inside."""

from controller.model.facts import FACT_TYPES, Facts, FactType, FactValue
from jetfleet.v1 import task_pb2


def facts_from_pb(message: task_pb2.Facts) -> Facts:
    """Only what is known: an absent field makes no key."""
    found: dict[str, FactValue] = {}
    for descriptor, value in message.ListFields():
        if descriptor.name in FACT_TYPES:
            found[descriptor.name] = tuple(value) if FACT_TYPES[descriptor.name] is FactType.SET else value
    found.update({f"runtime.{name}": version for name, version in message.runtimes.items()})
    found.update({f"label.{name}": value for name, value in message.labels.items()})
    return found


def facts_to_pb(facts: Facts) -> task_pb2.Facts:
    message = task_pb2.Facts()
    for key, value in facts.items():
        family, dot, member = key.partition(".")
        if dot:
            (message.runtimes if family == "runtime" else message.labels)[member] = str(value)
        elif isinstance(value, tuple):
            getattr(message, key).extend(value)
        else:
            setattr(message, key, value)
    return message
