"""`controller gc`: remove what is old, or more than the disk should hold."""

import dataclasses
import re
import sys
from typing import Annotated

import typer

from controller.cli.settings import print_message, settings_of

_AGE = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d|w)")
_AGES_S = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB)", re.IGNORECASE)
_SIZES = {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
_OLDEST_S = 100 * 366 * 86400
_LARGEST = 1e18
_SHOWN = 60
_KINDS = "jobs, engines, samples, orphans, sessions, facts, timing_caches, blobs, incoming"


def gc(
    context: typer.Context,
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Remove what is older: 90d, 12h, 30min.")] = "90d",
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Then go on, oldest first, until the files fit: 20GB.", show_default=False),
    ] = None,
    kinds: Annotated[
        str | None, typer.Option("--kinds", metavar="KIND,KIND", help=f"Only these: {_KINDS}.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Remove old jobs with their results, engines, samples, files.

    Never: what a job with work to do needs, the newest job of each name, the newest engine of each model, precision,
    placement and class of devices. `samples` are raw samples, logs, layers and environments: results stay without them.
    """
    from controller.model.removal import KINDS, Retention

    wanted = Retention(
        older_than_s=parse_age(older_than, where="--older-than"),
        max_bytes=None if max_size is None else parse_size(max_size, where="--max-size"),
        kinds=KINDS if kinds is None else _parse_kinds(kinds, KINDS),
        dry_run=dry_run,
    )
    with settings_of(context).connect() as client:
        removed = client.collect_garbage(wanted)
    record = dataclasses.asdict(removed)
    if as_json:
        from controller.cli.formats import print_json

        print_json({"removed": {"dry_run": dry_run, **record}}, out=sys.stdout)
        return
    counted = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in record.items() if name in KINDS and count
    )
    said = "would remove" if dry_run else "removed"
    print_message(f"{said} {counted or 'nothing'}: {removed.freed_bytes / 1e6:.1f} MB of files")
    print_message(f"{removed.stored_bytes / 1e6:.1f} MB of files {'would be ' if dry_run else ''}left")


def parse_age(text: str, *, where: str) -> float:
    """Seconds. Raises BadInput."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise _bad(text, "age", where, "90d, 12h, 30min or 10s")
    seconds = float(found[1]) * _AGES_S[found[2]]
    if seconds > _OLDEST_S:
        raise _bad(text, "age", where, "at most 100 years")
    return seconds


def parse_size(text: str, *, where: str) -> int:
    """Bytes. Raises BadInput."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise _bad(text, "size", where, "20GB, 500MB or 0B")
    size = float(found[1]) * _SIZES[found[2].lower()]
    if size > _LARGEST:
        raise _bad(text, "size", where, "at most 1000000TB")
    return int(size)


def _parse_kinds(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    for kind in chosen:
        if kind not in known:
            raise _bad(kind, "kind", "--kinds", ", ".join(known))
    return chosen


def _bad(text: str, what: str, where: str, expected: str) -> Exception:
    from jetfleet.errors import BadInput

    text = text if len(text) < _SHOWN else f"{text[:_SHOWN]}..."
    return BadInput(f"{text!r} is not a valid {what}", where=where, expected=expected)
