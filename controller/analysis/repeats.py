"""Of benches of the very same thing the newest few: a comparison looks at no more, and there may be a million."""

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import TypeAlias

from controller.model.comparison import Axis
from controller.model.result import VALID, Row, Schedule

# Of each thing: of a device's noise thirty say as well as thousands, and how it is now they say better.
MOST = 30

# A mapping or a member by its identity, for rows of one reading share them; the rest by what it is.
_Thing: TypeAlias = tuple[tuple[str | int | None, ...], ...]
_INTERLEAVED = Schedule.INTERLEAVED


def newest_repeats(rows: Sequence[Row], by: Axis | None = None, *, most: int = MOST) -> list[Row]:
    """In the order given: of each thing the newest row, and the newest VALID ones; by JOB, the newest of each job too.

    All that were timed in turns are kept, for they stand in pairs. Of rows that share nothing all are kept.
    """
    if len(rows) <= most:
        return list(rows)
    newest_first = sorted(rows, key=attrgetter("measurement_id"), reverse=True)
    kept = {row.measurement_id for repeats in _by_thing(newest_first).values() for row in _kept(repeats, by, most)}
    return [row for row in rows if row.measurement_id in kept]


def _by_thing(rows: Sequence[Row]) -> dict[_Thing, list[Row]]:
    """All that circumstances are made of, and what they were circumstances of. Nothing is called for a row."""
    found: dict[_Thing, list[Row]] = {}
    for row in rows:
        measurement = row.measurement
        said = measurement.circumstances
        variant = (row.model_name, row.variant_key, row.runtime, row.runtime_version, row.batch, id(row.precision))
        engine = (row.engine_key, row.placement, measurement.subject_index, id(row.schedule), id(row.mode))
        where = (row.device, id(measurement.provenance), id(row.facts), id(said) if said else None)
        thing = (variant, engine, where)
        if (known := found.get(thing)) is None:
            known = found[thing] = []
        known.append(row)
    return found


def _kept(repeats: Sequence[Row], by: Axis | None, most: int) -> Iterator[Row]:
    """Of one thing, newest first."""
    if repeats[0].schedule is _INTERLEAVED:
        yield from repeats
        return
    yield repeats[0]
    yield from islice((row for row in repeats if row.measurement.verdict == VALID), most)
    if by is Axis.JOB:
        yield from _newest_of_jobs(repeats)


def _newest_of_jobs(repeats: Sequence[Row]) -> Iterator[Row]:
    """Any, and any VALID one."""
    speaking: dict[tuple[int, bool], Row] = {}
    for row in repeats:
        speaking.setdefault((row.job_id, row.measurement.verdict == VALID), row)
    yield from speaking.values()
