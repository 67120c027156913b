"""One field: how a value of the model becomes what a message's constructor takes, and how it is read back.

The hint of the model's field and the descriptor of the message's field must say the same; if they do not, FieldMismatch
says so when the codec is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from controller.wire.enums import ENUMS
from controller.wire.time import duration_fields, moment_of, seconds_of, timestamp_fields
from jetfleet.errors import UnknownValue

Convert = Callable[[Any], Any]
# How a message that is nested in another is converted, given the model's hint; None where nobody said.
Nested = Callable[[Any, Descriptor], "Item | None"]

DURATION = "google.protobuf.Duration"
TIMESTAMP = "google.protobuf.Timestamp"
_SCALARS: Mapping[int, type] = {
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
    FieldDescriptor.CPPTYPE_FLOAT: float,
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_STRING: str,
}


class FieldMismatch(TypeError):
    """A message and a model differ in a way that nobody declared."""


@dataclass(frozen=True)
class Item:
    """How one value is converted; None: it is the same on both sides."""

    encode: Convert | None = None
    decode: Convert | None = None


@dataclass(frozen=True)
class Field:
    """`write` takes the model's value, `read` the whole message."""

    write: Convert | None
    read: Convert


def field(descriptor: FieldDescriptor, hint: Any, *, nested: Nested, zero_is_none: bool = False) -> Field:
    """Raises FieldMismatch."""
    try:
        return _field(descriptor, hint, nested, zero_is_none)
    except FieldMismatch as error:
        raise FieldMismatch(f"{descriptor.full_name} and its twin in the model differ: {error}") from None


def optional(hint: Any) -> Any:
    """X of `X | None`; None for every other hint."""
    if get_origin(hint) not in (Union, UnionType):
        return None
    members = [member for member in get_args(hint) if member is not NoneType]
    return members[0] if len(members) == 1 else None


def _field(descriptor: FieldDescriptor, hint: Any, nested: Nested, zero_is_none: bool) -> Field:
    if descriptor.is_repeated:
        return _collection(descriptor, hint, nested)
    inner = optional(hint)
    item = _item(descriptor, inner or hint, nested)
    if inner is None:
        if descriptor.has_presence and descriptor.message_type is None:
            raise FieldMismatch("it may be absent, and the model has nothing for that")
        return Field(item.encode, _reader(descriptor.name, item.decode))
    if descriptor.has_presence:
        return Field(_or_none(item.encode), _optional_reader(descriptor.name, item.decode))
    if descriptor.enum_type is not None or zero_is_none:
        return Field(_or_none(item.encode), _zero_reader(descriptor.name, item.decode))
    raise FieldMismatch("it is never absent, and the model's may be None")


def _collection(descriptor: FieldDescriptor, hint: Any, nested: Nested) -> Field:
    entry = descriptor.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return _map(descriptor.name, entry, hint, nested)
    return _repeated(descriptor, hint, nested)


def _map(name: str, entry: Any, hint: Any, nested: Nested) -> Field:
    sides = entry.fields_by_name
    if get_origin(hint) is not Mapping or get_args(hint)[0] is not _SCALARS.get(sides["key"].cpp_type):
        raise FieldMismatch(f"a map is not {hint}")
    item = _item(sides["value"], get_args(hint)[1], nested)
    raw, encode, decode = attrgetter(name), item.encode, item.decode
    if encode is None or decode is None:
        return Field(dict, lambda message: dict(raw(message)))
    return Field(
        lambda values: {key: encode(value) for key, value in values.items()},
        lambda message: {key: decode(value) for key, value in raw(message).items()},
    )


def _repeated(descriptor: FieldDescriptor, hint: Any, nested: Nested) -> Field:
    members = get_args(hint)
    if get_origin(hint) is not tuple or len(members) != 2 or members[1] is not Ellipsis:
        raise FieldMismatch(f"a repeated field is not {hint}")
    item = _item(descriptor, members[0], nested)
    read, encode, decode = attrgetter(descriptor.name), item.encode, item.decode
    write = None if encode is None else lambda values: list(map(encode, values))
    if decode is None:
        return Field(write, lambda message: tuple(read(message)))
    return Field(write, lambda message: tuple(map(decode, read(message))))


def _item(descriptor: FieldDescriptor, hint: Any, nested: Nested) -> Item:
    if descriptor.message_type is not None:
        return _message(descriptor.message_type, hint, nested)
    if descriptor.enum_type is not None:
        codec = ENUMS.get((hint, descriptor.enum_type.full_name))
        if codec is None:
            raise FieldMismatch(f"no enum codec of {hint} and {descriptor.enum_type.full_name}")
        return Item(codec.encode, codec.decode)
    scalar = bytes if descriptor.type == FieldDescriptor.TYPE_BYTES else _SCALARS[descriptor.cpp_type]
    if scalar is str and isinstance(hint, type) and issubclass(hint, Enum):
        return Item(attrgetter("value"), _named(hint))
    if hint is not scalar:
        raise FieldMismatch(f"{scalar.__name__} is not {hint}")
    return Item()


def _message(descriptor: Descriptor, hint: Any, nested: Nested) -> Item:
    if descriptor.full_name == DURATION and hint is float:
        return Item(duration_fields, seconds_of)
    if descriptor.full_name == TIMESTAMP:
        return Item(timestamp_fields, moment_of)
    found = nested(hint, descriptor)
    if found is None:
        raise FieldMismatch(f"none of the nested codecs is of {hint} and {descriptor.full_name}")
    return found


def _named(kind: type[Enum]) -> Convert:
    """An enum that travels as its value."""
    members = {member.value: member for member in kind}

    def decode(value: str) -> Enum:
        member = members.get(value)
        if member is None:
            raise UnknownValue(f"{kind.__name__} {value!r} is not known to this version")
        return member

    return decode


def _or_none(encode: Convert | None) -> Convert | None:
    return None if encode is None else lambda value: None if value is None else encode(value)


def _reader(name: str, decode: Convert | None) -> Convert:
    read = attrgetter(name)
    return read if decode is None else lambda message: decode(read(message))


def _optional_reader(name: str, decode: Convert | None) -> Convert:
    raw = attrgetter(name)
    if decode is None:
        return lambda message: raw(message) if message.HasField(name) else None
    return lambda message: decode(raw(message)) if message.HasField(name) else None


def _zero_reader(name: str, decode: Convert | None) -> Convert:
    raw, read = attrgetter(name), _reader(name, decode)
    return lambda message: read(message) if raw(message) else None
