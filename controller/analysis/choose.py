"""Which row speaks for a thing: its newest VALID one, and a word where that is not the newest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from controller.model.comparison import Axis
from controller.model.natural import NaturalKey, natural
from controller.model.result import VALID, Provenance, Row


@dataclass(frozen=True)
class ChosenRow:
    row: Row
    note: str = ""


@dataclass(frozen=True)
class Position:
    """Where a row stands: `value` on the axis of the comparison, and what it shares with its baseline.

    `part` keeps the subjects of a concurrent task, its whole, and what ran alone apart.
    """

    value: str
    shared: tuple[str, ...]
    provenance: Provenance
    part: str = ""


def value_of(row: Row, by: Axis) -> str:
    if by is Axis.JOB:
        return str(row.job_id)
    return row.device if by is Axis.DEVICE else row.variant_key


def position_of(row: Row, by: Axis) -> Position:
    return Position(value_of(row, by), _shared(row, by), row.measurement.provenance, row.part)


def _shared(row: Row, by: Axis) -> tuple[str, str]:
    if by is Axis.JOB:
        return row.variant_key, row.device
    return row.model_name, row.variant_key if by is Axis.DEVICE else row.device


def choose(rows: Iterable[Row], by: Axis) -> dict[Position, ChosenRow]:
    """One row for each position, ordered by what is shared, then along the axis."""
    found: dict[Position, list[Row]] = {}
    for row in rows:
        found.setdefault(position_of(row, by), []).append(row)
    ordered = sorted(
        found,
        key=lambda position: (position.shared, order_of(position.value, by), position.part, position.provenance.value),
    )
    return {position: _newest(found[position]) for position in ordered}


def order_of(value: str, by: Axis) -> NaturalKey:
    """By name, as people count: job 9 before job 10, b8 before b16."""
    return natural(value)


def at_position(chosen: dict[Position, ChosenRow], wanted: Position) -> ChosenRow | None:
    """The row of a position, or else one of another provenance or part there, so that the two are refused and not
    overlooked.
    """
    return next(_at_position(chosen, wanted), None)


def _at_position(chosen: dict[Position, ChosenRow], wanted: Position) -> Iterator[ChosenRow]:
    for provenance in (wanted.provenance, *Provenance):
        if found := chosen.get(replace(wanted, provenance=provenance)):
            yield found
    for position, found in chosen.items():
        if (position.value, position.shared) == (wanted.value, wanted.shared):
            yield found


def _newest(rows: list[Row]) -> ChosenRow:
    by_age = sorted(rows, key=lambda row: row.measurement_id, reverse=True)
    newest = by_age[0]
    valid = next((row for row in by_age if row.measurement.verdict == VALID), newest)
    if valid is newest:
        return ChosenRow(newest)
    return ChosenRow(
        valid,
        f"newest VALID: measurement {valid.measurement_id} of job {valid.job_id}; "
        f"the newest, {newest.measurement_id} of job {newest.job_id}, is {newest.measurement.verdict}",
    )
