"""Which row speaks for a thing: its newest VALID one, and a word where that is not the newest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.model.comparison import Axis
from controller.model.result import VALID, Provenance, Row


@dataclass(frozen=True)
class Chosen:
    row: Row
    note: str = ""


@dataclass(frozen=True)
class Place:
    """Where a row stands: `value` on the axis of the comparison, and what it shares with its baseline."""

    value: str
    shared: tuple[str, ...]
    provenance: Provenance


def value_of(row: Row, by: Axis) -> str:
    return {Axis.DEVICE: row.device, Axis.VARIANT: row.variant_key, Axis.JOB: str(row.job_id)}[by]


def place_of(row: Row, by: Axis) -> Place:
    shared = {
        Axis.DEVICE: (row.model_name, row.variant_key),
        Axis.VARIANT: (row.model_name, row.device),
        Axis.JOB: (row.variant_key, row.device),
    }[by]
    return Place(value_of(row, by), shared, row.measurement.provenance)


def choose(rows: Iterable[Row], by: Axis) -> dict[Place, Chosen]:
    """One row for each place, ordered by what is shared, then along the axis."""
    found: dict[Place, list[Row]] = {}
    for row in rows:
        if row.measurement.subject_index is not None:  # a whole task's row is of no one variant
            found.setdefault(place_of(row, by), []).append(row)
    ordered = sorted(found, key=lambda place: (place.shared, order_of(place.value, by), place.provenance.value))
    return {place: _newest(found[place]) for place in ordered}


def order_of(value: str, by: Axis) -> tuple[int, str]:
    """Jobs by number, the others by name."""
    return (int(value) if by is Axis.JOB else 0, value)


def of_place(chosen: dict[Place, Chosen], wanted: Place) -> Chosen | None:
    """The row of a place, or else of the other provenance there, so that the two are refused and not overlooked."""
    return next(_of_place(chosen, wanted), None)


def _of_place(chosen: dict[Place, Chosen], wanted: Place) -> Iterator[Chosen]:
    for provenance in (wanted.provenance, *Provenance):
        if found := chosen.get(Place(wanted.value, wanted.shared, provenance)):
            yield found


def _newest(rows: list[Row]) -> Chosen:
    by_age = sorted(rows, key=lambda row: row.measurement_id, reverse=True)
    newest = by_age[0]
    valid = next((row for row in by_age if row.measurement.verdict == VALID), newest)
    if valid is newest:
        return Chosen(newest)
    return Chosen(
        valid,
        f"newest VALID: measurement {valid.measurement_id} of job {valid.job_id}; "
        f"the newest, {newest.measurement_id} of job {newest.job_id}, is {newest.measurement.verdict}",
    )
