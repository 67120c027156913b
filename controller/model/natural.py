"""The order in which people count: b8 before b16, orin-2 before orin-10. Pure."""

import re
from typing import TypeAlias

NaturalKey: TypeAlias = tuple[tuple[int, int, str], ...]

_PARTS = re.compile(r"[0-9]+|[^0-9]+")


def natural(text: str) -> NaturalKey:
    """A key to sort by: digits as the number that they are."""
    return tuple((0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in _PARTS.findall(text))
