"""A job that others are held against, by a name that people and CI know it by."""

import re
from dataclasses import dataclass
from datetime import datetime

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,99}")


@dataclass(frozen=True)
class Baseline:
    """`device_class` as `recommend` calls it; empty: of every class that has none of its own."""

    name: str
    device_class: str
    job_id: int
    set_at: datetime | None = None  # None: not set yet
    set_by: str = ""
