"""The one codec of messages that have the model's shape: field by field, by name, both ways.

A codec is made once, when its module is imported, from the message's descriptor and the dataclass' type hints, and
compared then: what one side lacks is a FieldMismatch unless it is declared, with its reason. Nothing is looked up by
name when a message travels.

    ARTIFACT = message_codec(Artifact, task_pb2.Artifact, check=_check_artifact)
    ARTIFACT.encode(artifact).SerializeToString()
    ARTIFACT.decode(message)

Names are the same on both sides, except that a Duration `warmup` is the model's float `warmup_s`, and for what `names`
says. A union of dataclasses is the oneof of its name.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from controller.wire.fields import DURATION, FieldMismatch, Item, field
from jetfleet.errors import BadInput, UnknownValue

M = TypeVar("M")
P = TypeVar("P", bound=Message)
Fields = dict[str, Any]
Write = Callable[[Any, Fields], None]
Read = Callable[[Any], Any]


@dataclass(frozen=True)
class ByHand:
    """Fields whose shapes differ. `put` makes the message's out of the model, `get` the model's out of the message."""

    reason: str
    model: tuple[str, ...]
    message: tuple[str, ...]
    put: Callable[[Any], Fields]
    get: Callable[[Any], Fields]


@dataclass(frozen=True, eq=False)
class MessageCodec(Generic[M, P]):
    """A dataclass and its message. Make one with `message_codec`."""

    model: type[M]
    message: type[P]
    writes: tuple[Write, ...]
    reads: Mapping[str, Read]
    by_hand: tuple[ByHand, ...]
    check: Callable[[M], None] | None

    def encode(self, value: M, **message_only: Any) -> P:
        """Raises BadInput for a value that the message cannot hold."""
        fields = self.fields(value)
        fields.update(message_only)
        try:
            return self.message(**fields)
        except (ValueError, TypeError) as error:
            raise _unfit(self.message, fields, error, where=f"{self.model.__name__}.") from None

    def decode(self, message: Any, **model_only: Any) -> M:
        """Raises BadInput for what makes no sense, UnknownValue for what only a newer version knows."""
        values: Fields = {name: read(message) for name, read in self.reads.items()}
        for part in self.by_hand:
            values.update(part.get(message))
        made = self.model(**values, **model_only)
        if self.check is not None:
            self.check(made)
        return made

    def fields(self, value: M) -> Fields:
        """What the message's constructor takes; nested messages are dictionaries of the same kind."""
        fields: Fields = {}
        for write in self.writes:
            write(value, fields)
        for part in self.by_hand:
            fields.update(part.put(value))
        return fields


def message_of(kind: type[P], **fields: Any) -> P:
    """A message of plain fields. Raises BadInput for a value that it cannot hold."""
    try:
        return kind(**fields)
    except (ValueError, TypeError) as error:
        raise _unfit(kind, fields, error, where="") from None


@dataclass(frozen=True)
class MessageByHand:
    """A message whose model is not a dataclass, wherever it is nested."""

    model: Any
    message: type[Message]
    fields: Callable[[Any], Fields]
    decode: Callable[[Any], Any]


AnyCodec = MessageCodec[Any, Any] | MessageByHand


def message_codec(
    model: type[M],
    message: type[P],
    *,
    nested: Collection[AnyCodec] = (),
    names: Mapping[str, str] | None = None,
    by_hand: tuple[ByHand, ...] = (),
    model_only: Mapping[str, str] | None = None,
    message_only: Mapping[str, str] | None = None,
    zero_is_none: Collection[str] = (),
    check: Callable[[M], None] | None = None,
) -> MessageCodec[M, P]:
    """Raises FieldMismatch.

    `nested` are the codecs of the messages in this one. `names` maps fields of the model to those of the message.
    `model_only` and `message_only` give the reason why the other side has no such field; whoever needs them passes
    them to `decode` and `encode`. `zero_is_none` are fields of the model that are None where the message, which cannot
    leave them out, has 0. `check` sees what was decoded.
    """
    descriptor: Any = message.DESCRIPTOR  # the stubs are not sure that it has one
    shape = _Shape(model, descriptor, nested=nested, names=names or {}, zero_is_none=zero_is_none)
    done_by_hand = {name for part in by_hand for name in part.model}
    absent = done_by_hand | set(model_only or {})
    writes: list[Write] = []
    reads: dict[str, Read] = {}
    covered = {name for part in by_hand for name in part.message} | set(message_only or {})
    for name in shape.names(leaving_out=absent):
        write, read, fields = shape.twin(name)
        writes.append(write)
        reads[name] = read
        covered |= fields
    missing = set(descriptor.fields_by_name) ^ covered
    if missing:
        raise FieldMismatch(f"{descriptor.full_name} and {model.__name__} differ in {sorted(missing)}")
    made = MessageCodec(model, message, tuple(writes), reads, by_hand, check)
    shape.made.append(made)
    return made


class _Shape:
    """The two sides of a codec, while it is made."""

    def __init__(
        self,
        model: type[Any],
        descriptor: Descriptor,
        *,
        nested: Collection[AnyCodec],
        names: Mapping[str, str],
        zero_is_none: Collection[str],
    ) -> None:
        self._model, self._descriptor, self._nested = model, descriptor, nested
        self._names, self._zero_is_none = names, zero_is_none
        self._hints = get_type_hints(model)
        self.made: list[MessageCodec[Any, Any]] = []  # the codec itself, for a message that holds more of its kind

    def names(self, *, leaving_out: set[str]) -> list[str]:
        mine = [item.name for item in dataclasses.fields(self._model)]
        declared = leaving_out | self._names.keys() | set(self._zero_is_none)
        if not declared <= set(mine):
            raise FieldMismatch(f"{self._model.__name__} has no {sorted(declared - set(mine))}")
        return [name for name in mine if name not in leaving_out]

    def twin(self, name: str) -> tuple[Write, Read, set[str]]:
        """How the model's field is written and read, and the message's fields that this covers."""
        if name in self._descriptor.oneofs_by_name:
            return self._oneof(name)
        theirs = self._twin_name(name)
        made = field(
            self._descriptor.fields_by_name[theirs],
            self._hints[name],
            nested=self._item,
            zero_is_none=name in self._zero_is_none,
        )
        return partial(_write, name, theirs, made.write), made.read, {theirs}

    def _twin_name(self, name: str) -> str:
        fields = self._descriptor.fields_by_name
        if self._names.get(name, name) in fields:
            return self._names.get(name, name)
        duration = fields.get(name.removesuffix("_s"))
        if duration is not None and duration.message_type and duration.message_type.full_name == DURATION:
            return str(duration.name)
        raise FieldMismatch(f"{self._descriptor.full_name} has no field for {self._model.__name__}.{name}")

    def _oneof(self, name: str) -> tuple[Write, Read, set[str]]:
        kinds = get_args(self._hints[name])
        found = {
            item.name: self._of_message(item.message_type, kinds)
            for item in self._descriptor.oneofs_by_name[name].fields
        }
        codecs = {item: codec for item, codec in found.items() if codec is not None}
        by_kind = {codec.model: (item, codec.fields) for item, codec in codecs.items()}
        if set(by_kind) != set(kinds) or len(codecs) != len(found):
            raise FieldMismatch(f"{self._descriptor.full_name}.{name} and {self._model.__name__}.{name} differ")

        def write(value: Any, fields: Fields) -> None:
            part = getattr(value, name)
            item, encode = by_kind[type(part)]
            fields[item] = encode(part)

        def read(message: Any) -> Any:
            which = message.WhichOneof(name)
            if which is None:
                raise UnknownValue(f"{self._descriptor.name} has none of {', '.join(codecs)}")
            return codecs[which].decode(getattr(message, which))

        return write, read, set(codecs)

    def _of_message(self, descriptor: Descriptor | None, models: tuple[Any, ...]) -> AnyCodec | None:
        return next(
            (codec for codec in self._nested if codec.message.DESCRIPTOR is descriptor and codec.model in models), None
        )

    def _item(self, hint: Any, descriptor: Descriptor) -> Item | None:
        if hint is self._model and descriptor is self._descriptor:
            return Item(lambda value: self.made[0].fields(value), lambda message: self.made[0].decode(message))
        codec = self._of_message(descriptor, (hint,))
        return None if codec is None else Item(codec.fields, _nested_decode(codec))


def _unfit(kind: type[Message], fields: Fields, error: Exception, *, where: str) -> BadInput:
    for name, value in fields.items():
        try:
            kind(**{name: value})
        except (ValueError, TypeError) as cause:
            return BadInput(f"{str(value)[:80]} does not fit: {cause}", where=f"{where}{name}")
    return BadInput(str(error), where=where.removesuffix("."))


def _nested_decode(codec: AnyCodec) -> Read:
    """`decode` without the steps that this codec does not need: a result has hundreds of small messages."""
    if isinstance(codec, MessageByHand) or codec.by_hand:
        return codec.decode
    names = [item.name for item in dataclasses.fields(codec.model)]
    if names != list(codec.reads):
        return codec.decode
    model, reads = codec.model, tuple(codec.reads.values())
    if codec.check is None:
        return lambda message: model(*[read(message) for read in reads])
    check = codec.check

    def checked(message: Any) -> Any:
        made = model(*[read(message) for read in reads])
        check(made)
        return made

    return checked


def _write(name: str, theirs: str, convert: Callable[[Any], Any] | None, value: Any, fields: Fields) -> None:
    mine = getattr(value, name)
    fields[theirs] = mine if convert is None else convert(mine)
