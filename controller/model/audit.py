"""Who did what, as the audit log keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Deed:
    """What was done, and to whom or what: `job.submit`, `job 12`. `detail` says the rest; it never holds a secret."""

    action: str
    subject: str
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditEntry:
    """A deed with its doer, its place in the log, and the digest that chains it to all before it."""

    number: int
    at: datetime
    user: str
    role: str
    action: str
    subject: str
    detail: Mapping[str, str]
    sha256: str


@dataclass(frozen=True)
class AuditHead:
    """How far the log has come: who notes it elsewhere can tell later that nothing before it was changed or lost."""

    number: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.number}:{self.sha256}"


# Before the first entry.
NO_ENTRY = AuditHead(0, "0" * 64)
