"""Every enum, proto <-> model, in one table: a member that one side lacks fails at import, not in the field.

A number that this version does not know comes from a newer peer. Where something safe can stand for it the table says
what; everywhere else it is UnknownValue, so that nothing is taken for what it is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from google.protobuf.descriptor import EnumDescriptor

from controller.model.job import Arrivals, CheckRule, Lowering, Mode, Op, Precision, Quantifier, Role
from controller.model.lease import Directive
from controller.model.result import FlagKind, Provenance, Schedule
from controller.model.task import FailureKind
from jetfleet.errors import UnknownValue
from jetfleet.v1 import control_pb2, fleet_pb2, task_pb2

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True)
class EnumCodec(Generic[E]):
    """One enum. `unspecified` stands for 0, which older peers leave; `newer` for a number that is not known here."""

    model: type[E]
    descriptor: EnumDescriptor
    numbers: Mapping[E, int]
    members: Mapping[int, E]
    unspecified: E | None
    newer: E | None

    def encode(self, member: E) -> Any:
        """The number; generated code gives every enum a type of its own."""
        return self.numbers[member]

    def decode(self, number: int) -> E:
        """Raises UnknownValue where nothing may stand for the number."""
        found = self.members.get(number)
        if found is not None:
            return found
        stand_in = self.newer if number else self.unspecified
        if stand_in is not None:
            return stand_in
        raise UnknownValue(
            f"{self.descriptor.name} {number} is not known to this version" if number else f"no {self.descriptor.name}",
            expected="one of " + ", ".join(member.name for member in self.model),
            hint="does the other side run a newer version?" if number else "",
        )


def enum_codec(
    model: type[E], descriptor: EnumDescriptor, prefix: str, *, unspecified: E | None = None, newer: E | None = None
) -> EnumCodec[E]:
    """Members by name. Raises TypeError where one side lacks a member."""
    theirs = {value.name: value.number for value in descriptor.values if value.number}
    ours = {f"{prefix}_{member.name}": member for member in model}
    if theirs.keys() != ours.keys():
        raise TypeError(f"{model.__name__} and {descriptor.full_name} differ: {sorted(theirs.keys() ^ ours.keys())}")
    numbers = {member: theirs[name] for name, member in ours.items()}
    members = {number: member for member, number in numbers.items()}
    return EnumCodec(model, descriptor, numbers, members, unspecified, newer)


PRECISION = enum_codec(Precision, task_pb2.Precision.DESCRIPTOR, "PRECISION")
LOWERING = enum_codec(Lowering, task_pb2.Lowering.DESCRIPTOR, "LOWERING")
ROLE = enum_codec(Role, task_pb2.ArtifactRole.DESCRIPTOR, "ARTIFACT_ROLE")
# A failure of a new kind is still a failure; its message says which.
FAILURE = enum_codec(
    FailureKind,
    task_pb2.FailureKind.DESCRIPTOR,
    "FAILURE_KIND",
    unspecified=FailureKind.INFRASTRUCTURE,
    newer=FailureKind.INFRASTRUCTURE,
)
# Never a stand-in: a flag that is not known may be one that disqualifies the number.
FLAG = enum_codec(FlagKind, task_pb2.FlagKind.DESCRIPTOR, "FLAG_KIND")
PROVENANCE = enum_codec(Provenance, task_pb2.Provenance.DESCRIPTOR, "PROVENANCE")
SCHEDULE = enum_codec(Schedule, task_pb2.BenchTask.Schedule.DESCRIPTOR, "SCHEDULE", unspecified=Schedule.ALONE)
MODE = enum_codec(Mode, task_pb2.MeasureOptions.Mode.DESCRIPTOR, "MODE", unspecified=Mode.LATENCY)
ARRIVALS = enum_codec(Arrivals, task_pb2.MeasureOptions.Arrivals.DESCRIPTOR, "ARRIVALS", unspecified=Arrivals.FIXED)
CHECK_RULE = enum_codec(CheckRule, task_pb2.OutputCheck.Rule.DESCRIPTOR, "RULE", unspecified=CheckRule.OFF)
OP = enum_codec(Op, control_pb2.Condition.Op.DESCRIPTOR, "OP")
QUANTIFIER = enum_codec(Quantifier, control_pb2.Target.Quantifier.DESCRIPTOR, "QUANTIFIER")
DIRECTIVE = enum_codec(Directive, fleet_pb2.RenewResponse.Directive.DESCRIPTOR, "DIRECTIVE")

ENUMS = {
    (codec.model, codec.descriptor.full_name): codec
    for codec in (
        *(PRECISION, LOWERING, ROLE, FAILURE, FLAG, PROVENANCE, SCHEDULE),
        *(MODE, ARRIVALS, CHECK_RULE, OP, QUANTIFIER, DIRECTIVE),
    )
}
