"""What is to be removed from a controller, and what was."""

from dataclasses import dataclass

KINDS = ("jobs", "engines", "samples", "orphans", "sessions", "facts", "timing_caches", "blobs", "incoming")


@dataclass(frozen=True)
class Retention:
    """`older_than_s` is by the newest time in it; `max_bytes` is of all files together, None: however many.

    `kinds` are of KINDS; `samples` are all that a measurement can do without: samples, logs, layers, environments.
    """

    older_than_s: float
    max_bytes: int | None = None
    kinds: tuple[str, ...] = KINDS
    dry_run: bool = False


@dataclass(frozen=True)
class Removed:
    """How many of each kind; `freed_bytes` of files, of which `stored_bytes` are left."""

    jobs: int = 0
    engines: int = 0
    samples: int = 0
    orphans: int = 0
    sessions: int = 0
    facts: int = 0
    timing_caches: int = 0
    blobs: int = 0
    incoming: int = 0
    freed_bytes: int = 0
    stored_bytes: int = 0
