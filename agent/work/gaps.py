"""Gaps in the timed loop: between the end of an inference and the begin of the next stands only code of our own.

Pure; whether the process stood still during an inference is not seen here, but by `agent.telemetry.pauses`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.work.summary import Recording
from jetfleet.v1.task_pb2 import FLAG_KIND_PAUSED, Flag

SHORTEST_GAP_NS = 100_000_000
TIMES_TYPICAL = 20
_TOLD = 3


@dataclass(frozen=True)
class Gap:
    """Between two inferences of one lane, which are counted from 1 over all rounds."""

    after: int
    length_s: float

    def __str__(self) -> str:
        return f"a gap of {self.length_s:.2f} s between inference {self.after} and {self.after + 1}"


class Timed(Protocol):
    """What the lanes saw."""

    recordings: list[Recording]
    gaps: list[Gap]


def find_gaps(begins_ns: NDArray[np.int64], ends_ns: NDArray[np.int64], *, first: int = 1) -> list[Gap]:
    """Gaps that no code of ours takes, in the times of one round; `first` is the number of its first inference."""
    between = begins_ns[1:] - ends_ns[:-1]
    if not len(between):
        return []
    limit_ns = max(SHORTEST_GAP_NS, TIMES_TYPICAL * float(np.median(between)))
    return [Gap(first + int(at), float(between[at]) / 1e9) for at in np.flatnonzero(between >= limit_ns)]


def find_late_starts(late_ns: NDArray[np.int64], *, first: int = 1) -> list[Gap]:
    """The same where a loop waits for its inputs: by how much each inference began later than it could have."""
    return [Gap(first + int(at), float(late_ns[at]) / 1e9) for at in np.flatnonzero(late_ns >= SHORTEST_GAP_NS)]


def pause_flags(seen: Timed, witnesses: Sequence[str]) -> list[Flag]:
    """PAUSED where the loop has gaps or somebody saw that the process stood still; names the inference that it hit."""
    evidence = [str(gap) for gap in seen.gaps[:_TOLD]]
    if witnesses and not evidence:
        evidence += _longest_inference(seen.recordings)
    evidence += witnesses
    return [Flag(kind=FLAG_KIND_PAUSED, evidence="; ".join(evidence))] if evidence else []


def _longest_inference(recordings: Sequence[Recording]) -> list[str]:
    """The inference that a pause fell into, where one stands out."""
    for recording in recordings:
        if not recording.rounds:
            continue
        samples_ms = np.concatenate(recording.rounds)
        at, median_ms = int(samples_ms.argmax()), float(np.median(samples_ms))
        if samples_ms[at] >= SHORTEST_GAP_NS / 1e6 and samples_ms[at] > 2 * median_ms:
            return [f"inference {at + 1} took {samples_ms[at] / 1e3:.2f} s (median {median_ms:.3g} ms)"]
    return []
