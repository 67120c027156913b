"""Which runs count. One that was disturbed is replaced, whatever its numbers; twice at most. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from jetfleet.v1.task_pb2 import FLAG_KIND_INTERFERED, FLAG_KIND_PAUSED, FlagKind, Outcome

MOST_REPLACED = 2
_DISTURBED = (FLAG_KIND_PAUSED, FLAG_KIND_INTERFERED)


@dataclass(frozen=True)
class Fate:
    """`void_reason` says why a run counts for nothing; empty: it counts."""

    void_reason: str = ""

    @property
    def counts(self) -> bool:
        return not self.void_reason


def timed(outcome: Outcome) -> bool:
    """Whether a run ended with numbers."""
    return any(item.n for item in outcome.measured.measurements)


def decide_fates(outcomes: Sequence[Outcome]) -> list[Fate]:
    """The first disturbed ones are to be replaced."""
    fates = []
    replaced = 0
    for outcome in outcomes:
        reason = _disturbance(outcome)
        replaced += bool(reason)
        fates.append(Fate(reason if replaced <= MOST_REPLACED else ""))
    return fates


def final_fates(outcomes: Sequence[Outcome]) -> list[Fate]:
    """The same when no more run will come: the last one counts, where no other does, and its flag says what it is."""
    fates = decide_fates(outcomes)
    return fates if any(fate.counts for fate in fates) else [*fates[:-1], Fate()]


def _disturbance(outcome: Outcome) -> str:
    flags = [flag for item in outcome.measured.measurements for flag in item.flags if flag.kind in _DISTURBED]
    told = dict.fromkeys(f"{FlagKind.Name(flag.kind).removeprefix('FLAG_KIND_')}: {flag.evidence}" for flag in flags)
    return "; ".join(told)
