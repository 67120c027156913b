"""Which rows were timed in turns with which: these pairs are compared as they are, and before all others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.model.result import Row, Schedule


@dataclass(frozen=True)
class TurnPair:
    """Two variants in the same processes of one task. The ratios are the candidate's, and stand in its row."""

    candidate: Row
    base: Row

    def against(self, baseline: str) -> tuple[Row, Row] | None:
        """What is held against what: as it was asked for, or against the variant that somebody names."""
        if baseline in ("", self.base.variant_key):
            return self.candidate, self.base
        return (self.base, self.candidate) if baseline == self.candidate.variant_key else None


def turn_pairs(rows: Iterable[Row]) -> list[TurnPair]:
    """The newest of each two variants on each device."""
    found = sorted(rows, key=lambda row: row.measurement_id)
    bases = {row.task_id: row for row in found if row.schedule is Schedule.INTERLEAVED and row.part == "subject 0"}
    pairs: dict[tuple[object, ...], TurnPair] = {}
    for row in found:
        base = bases.get(row.task_id)
        if row.interleaved is not None and base is not None:
            key = (row.model_name, base.variant_key, row.variant_key, row.device, row.measurement.provenance)
            pairs.pop(key, None)
            pairs[key] = TurnPair(row, base)
    return list(pairs.values())


def beside_turns(rows: Sequence[Row], pairs: Sequence[TurnPair]) -> list[Row]:
    """Where there are pairs, the rows that have no turns: theirs are compared by the pairs alone."""
    turned = {row.task_id for row in rows if row.interleaved is not None} if pairs else set[int]()
    return [row for row in rows if row.task_id not in turned]


def answered_in_turns(pairs: Sequence[TurnPair]) -> set[tuple[str, str, frozenset[str]]]:
    """By model, device and the two variants."""
    return {
        (
            pair.candidate.model_name,
            pair.candidate.device,
            frozenset((pair.candidate.variant_key, pair.base.variant_key)),
        )
        for pair in pairs
    }
