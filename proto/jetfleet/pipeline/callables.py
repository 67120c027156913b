"""Users' own functions, `FILE.py:FUNCTION`, and which an agent runs: none, unless its owner allows it."""

import re
from collections.abc import Collection, Mapping, Sequence

ANY = "any"  # in place of digests: whatever comes
PATTERN = r"^[^:\s]+\.py:[A-Za-z_]\w*$"
VARIABLE = "JETFLEET_CALLABLES"  # tells a child what its agent allows

_REFERENCE = re.compile(PATTERN)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_reference(text: str) -> bool:
    return _REFERENCE.fullmatch(text) is not None


def file_of(reference: str) -> str:
    return reference.rpartition(":")[0]


def function_of(reference: str) -> str:
    return reference.rpartition(":")[2]


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def is_allowed(sha256: str, allowed: Collection[str]) -> bool:
    return ANY in allowed or sha256 in allowed


def read_allowed(text: str) -> tuple[str, ...]:
    """The policy out of the environment of a child; what is not a digest allows nothing."""
    return tuple(word for word in text.split(",") if word == ANY or is_digest(word))


def with_callables(env: Mapping[str, str], callables: Sequence[str]) -> dict[str, str]:
    """The environment with the users' code that this agent allows, whatever it said before."""
    others = {name: value for name, value in env.items() if name != VARIABLE}
    return {**others, VARIABLE: ",".join(callables)} if callables else others
