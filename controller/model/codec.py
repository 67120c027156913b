"""Dataclasses <-> canonical JSON text: columns of the store that nobody searches, and what a model child is told."""

import dataclasses
import json
from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_WRONG = (ValueError, TypeError, LookupError, AttributeError)


class Unreadable(ValueError):
    """A text that is not what was written, by damage or by another version."""


def dump(value: object) -> str:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def load(kind: type[T], text: str) -> T:
    """The value that `dump` wrote; `kind` is a dataclass, or e.g. tuple[Condition, ...]. Raises Unreadable.

    Shared by everybody who asks for the same: change nothing in it.
    """
    key: Any = kind
    value: T = _loaded(key, text)
    return value


@lru_cache(maxsize=1024)
def _loaded(kind: Hashable, text: str) -> Any:
    return _read(lambda: _rebuild(kind, json.loads(text)), text)


def _read(rebuild: Callable[[], T], text: str) -> T:
    try:
        return rebuild()
    except _WRONG as error:
        raise Unreadable(f"{text[:40]!r}: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _rebuild(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    if origin is tuple:
        return _rebuild_tuple(get_args(kind), data)
    if origin in (dict, Mapping):
        return _rebuild_mapping(get_args(kind)[1], data)
    if origin in (Union, UnionType):
        return None if data is None else _rebuild_present(kind, data)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _rebuild(hints.get(name), item) for name, item in data.items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return data


def _rebuild_mapping(kind: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _rebuild(kind, item) for key, item in data.items()}


def _rebuild_present(kind: Any, data: Any) -> Any:
    """What is there of `X | None`."""
    return _rebuild(next((item for item in get_args(kind) if item is not NoneType), kind), data)


def _rebuild_tuple(kinds: tuple[Any, ...], data: list[Any]) -> tuple[Any, ...]:
    """A tuple of one kind (`tuple[int, ...]`) or of one kind for each place (`tuple[int, str]`)."""
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_rebuild(kinds[0], item) for item in data)
    return tuple(_rebuild(kind, item) for kind, item in zip(kinds, data, strict=True))


@lru_cache(maxsize=1024)
def load_labels(text: str) -> Mapping[str, str]:
    """A plain mapping of texts. Shared by everybody who asks: change nothing in it."""
    return _read(lambda: {str(key): str(value) for key, value in json.loads(text).items()}, text)


@lru_cache(maxsize=1024)
def load_facts(text: str) -> Mapping[str, Any]:
    """Facts: the only sets in there are lists in JSON. Shared by everybody who asks: change nothing in it."""
    return _read(lambda: {key: _unlisted(value) for key, value in json.loads(text).items()}, text)


def _unlisted(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
