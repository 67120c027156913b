"""Which files are needed: by whom, and until when. Read off the rows, whatever the table."""

import re
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

_DIGEST = re.compile(r"[0-9a-f]{64}")
# Inputs and engines: needed as long as the row is there.
_NEEDED = (
    "SELECT content FROM variant",
    "SELECT recipe FROM engine",
    "SELECT sha256 FROM engine WHERE sha256 IS NOT NULL",
    "SELECT sha256 FROM timing_cache",
)
# Samples, logs and the like: good to have, and the row stays true without them.
_KEPT = (
    "SELECT a.sha256, coalesce(t.ended_at, '9') FROM attempt_artifact a JOIN attempt t ON t.token = a.attempt_token",
    "SELECT samples_sha256, measured_at FROM measurement WHERE samples_sha256 IS NOT NULL",
    "SELECT json_extract(r.content, '$.samples.sha256') AS sha256, m.measured_at FROM run r"
    " JOIN measurement m ON m.id = r.measurement_id WHERE sha256 IS NOT NULL",
)


@dataclass
class FileUses:
    """Digests: `needed` ones; those `kept` with the newest time of what they belong to; and the sizes of all stored."""

    needed: set[str] = field(default_factory=set)
    kept: dict[str, str] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)

    def unused(self) -> list[str]:
        return [sha256 for sha256 in self.stored if sha256 not in self.needed and sha256 not in self.kept]

    def kept_before(self, before: str) -> list[str]:
        """Oldest first, and only what nobody needs."""
        old = [(time, sha256) for sha256, time in self.kept.items() if time < before and sha256 in self.stored]
        return [sha256 for _, sha256 in sorted(old) if sha256 not in self.needed]


def listed_files(connection: Connection) -> set[str]:
    """All that the list of files knows, those that are gone included."""
    return set(connection.execute(text("SELECT sha256 FROM blob")).scalars())


def file_uses(connection: Connection) -> FileUses:
    found = FileUses()
    for statement in _NEEDED:
        for (content,) in connection.execute(text(statement)):
            found.needed.update(_DIGEST.findall(content))
    for statement in _KEPT:
        for sha256, time in connection.execute(text(statement)):
            found.kept[sha256] = max(time, found.kept.get(sha256, ""))
    rows = connection.execute(text("SELECT sha256, size_bytes FROM blob WHERE state = 'STORED'"))
    found.stored = {row.sha256: row.size_bytes for row in rows}
    return found
