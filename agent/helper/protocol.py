"""How the helper is asked: one frame there, one frame back, each a length of four bytes and a JSON object. Pure.

Strict on purpose: what is not exactly a request is refused before anything looks at its content.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 4096
_MOST_MODE = 255
_LENGTH = struct.Struct("!I")
LENGTH_BYTES = _LENGTH.size


class BadFrame(Exception):
    """What came is not a request."""


@dataclass(frozen=True)
class HelperRequest:
    """A verb by name, and the one argument that any verb has: the number of a power mode."""

    verb: str
    mode: int | None = None


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
    verb, mode = fields.get("verb"), fields.get("mode")
    if not set(fields) <= {"verb", "mode"} or not isinstance(verb, str):
        raise BadFrame("a request has the text verb, and nothing else but the number mode")
    if "mode" in fields and (type(mode) is not int or not 0 <= mode <= _MOST_MODE):
        raise BadFrame(f"mode is not a number from 0 to {_MOST_MODE}")
    return HelperRequest(verb, mode)


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
