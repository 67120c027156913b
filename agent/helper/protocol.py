"""How the helper is asked: one frame there, one frame back, each a length of four bytes and a JSON object. Pure.

Strict on purpose: what is not exactly a request is refused before anything looks at its content.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 4096
_LENGTH = struct.Struct("!I")
LENGTH_BYTES = _LENGTH.size


class BadFrame(Exception):
    """What came is not a request."""


@dataclass(frozen=True)
class HelperRequest:
    """A verb by name. No verb takes arguments yet; one that does says which, and nothing else passes."""

    verb: str


def frame(fields: dict[str, Any]) -> bytes:
    content = json.dumps(fields, ensure_ascii=True, sort_keys=True).encode()
    if len(content) > MOST_BYTES:
        raise BadFrame(f"{len(content)} bytes, at most {MOST_BYTES}")
    return _LENGTH.pack(len(content)) + content


def content_bytes(head: bytes) -> int:
    """How many bytes follow. Raises BadFrame."""
    (count,) = _LENGTH.unpack(head)
    if not 0 < count <= MOST_BYTES:
        raise BadFrame(f"a frame of {count} bytes, at most {MOST_BYTES}")
    return int(count)


def parse_request(content: bytes) -> HelperRequest:
    """Raises BadFrame."""
    fields = _object(content)
    verb = fields.get("verb")
    if set(fields) != {"verb"} or not isinstance(verb, str):
        raise BadFrame("a request has one field, the text verb")
    return HelperRequest(verb)


def parse_answer(content: bytes) -> dict[str, Any]:
    """Raises BadFrame."""
    return _object(content)


def _object(content: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        raise BadFrame("not JSON") from None
    if not isinstance(fields, dict):
        raise BadFrame("not a JSON object")
    return fields
