"""Two subjects in turns: rounds of A B B A, then of B A A B, in one process, so that what drifts drifts for both.

What a process says is one ratio for each metric. Which of the two is loaded first, and which begins, changes from one
process to the next: both move a latency by a few tenths of a percent (docs/adr/0020).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.runtime.base import Report
from agent.work import stats
from agent.work.measure import MeasureLimits, quiet_collector, warm_up
from agent.work.summary import Recording
from agent.work.together import GroupRecording, Lane, LaneGroup

# Short, so that the machine is the same in all four of a block: on one whose CPUs were shared with others, ratios of
# processes varied three times as much with rounds of 20 inferences of 5 ms as with 4 (docs/adr/0020).
ROUND_S = 0.02
ROUND_SAMPLES = 4  # at least, after the one that finds its caches cold
FEWEST_BLOCKS = 4  # as many that begin with A as with B, and rounds enough to say something of each
FEWEST_LATE = 2  # where those would outlast the longest window
MOST_BLOCKS = 1000
TAIL_SAMPLES = 100  # fewer, and p99 is the largest of them
_PAIR = 2
_FIRST, _SECOND = 0, 1


@dataclass(frozen=True)
class Turns:
    """Who is loaded first and who begins, by the number of the process: each in half of the processes, and each with
    the other one in a quarter.
    """

    run: int

    @property
    def second_loaded_first(self) -> bool:
        return self.run % 2 == 1

    @property
    def load_order(self) -> tuple[int, int]:
        return (_SECOND, _FIRST) if self.second_loaded_first else (_FIRST, _SECOND)

    def block(self, index: int) -> tuple[int, int, int, int]:
        """The four rounds of a block, by subject."""
        begins = (self.run // 2 + index) % 2
        other = 1 - begins
        return (begins, other, other, begins)


@dataclass
class InTurns:
    """What was seen of two subjects: their recordings, and of every block how the second's p50 compares."""

    seen: GroupRecording
    ratios: list[float] = field(default_factory=list)  # of p50, one for each block

    def by_metric(self) -> dict[str, float]:
        """The second subject's numbers over the first's. p99 where both have samples enough for one."""
        first, second = (np.concatenate(recording.rounds) for recording in self.seen.recordings)
        found = {
            "p50_ms": math.exp(float(np.median(np.log(self.ratios)))),
            "mean_ms": float(second.mean() / first.mean()),
        }
        if min(len(first), len(second)) >= TAIL_SAMPLES:
            found["p99_ms"] = _percentile(second, 0.99) / _percentile(first, 0.99)
        return found


def interleave(
    lanes: Sequence[Lane],
    limits: MeasureLimits,
    report: Report,
    *,
    turns: Turns,
) -> InTurns:
    """Warms each lane up, then times both in turns: each so long as the shortest window says, or until the longest."""
    groups = [LaneGroup([lane]) for lane in lanes]
    parts = [GroupRecording.of(1) for _ in lanes]
    for group, part in zip(groups, parts, strict=True):
        warm_up(group, part, limits, report)
    counts = [_round_size(group.slowest_s, limits) for group in groups]
    blocks = _blocks(groups, counts, limits)
    ratios: list[float] = []
    report("measure", 0.0, f"process {turns.run + 1}, {blocks} blocks of four rounds")
    with quiet_collector():
        while len(ratios) < blocks and not _are_late(parts, len(ratios), limits):
            for index in turns.block(len(ratios)):
                parts[index].add(
                    groups[index].time_round(math.inf, count=counts[index]), count_first=counts[index] == 1
                )
            ratios.append(_block_ratio(parts))
            report("measure", len(ratios) / blocks, f"process {turns.run + 1}, block {len(ratios)} of {blocks}")
    return InTurns(_joined(parts), ratios)


def _round_size(latency_s: float, limits: MeasureLimits) -> int:
    """Inferences in a round; one, where rounds that have enough for a median would outlast the longest window."""
    least = 4 * FEWEST_LATE * (ROUND_SAMPLES + 1) * latency_s
    if least > limits.max_s:
        return 1
    return max(ROUND_SAMPLES, math.ceil(ROUND_S / latency_s))


def _blocks(groups: Sequence[LaneGroup], counts: Sequence[int], limits: MeasureLimits) -> int:
    """An even number, in which each subject is timed for the shortest window."""
    block_s = sum(_PAIR * count * group.slowest_s for group, count in zip(groups, counts, strict=True))
    wanted = math.ceil(_PAIR * limits.min_s / block_s)
    return max(FEWEST_BLOCKS, min(MOST_BLOCKS, wanted + wanted % 2))


def _are_late(parts: Sequence[GroupRecording], blocks: int, limits: MeasureLimits) -> bool:
    """Whether the time is up, after as many blocks that began with the one as with the other."""
    return blocks >= FEWEST_LATE and blocks % 2 == 0 and sum(part.spent_s for part in parts) > limits.max_s


def _block_ratio(parts: Sequence[GroupRecording]) -> float:
    first, second = (_percentile(np.concatenate(part.recordings[0].rounds[-_PAIR:]), 0.5) for part in parts)
    return second / first


def _percentile(samples: stats.Floats, share: float) -> float:
    return stats.nearest_rank(np.sort(samples), share)


def _joined(parts: Sequence[GroupRecording]) -> GroupRecording:
    recordings: list[Recording] = [part.recordings[0] for part in parts]
    return GroupRecording(
        recordings,
        windows_s=[window for part in parts for window in part.windows_s],
        windows_ns=sorted(window for part in parts for window in part.windows_ns),
        runs=sum(part.runs for part in parts),
        spent_s=sum(part.spent_s for part in parts),
        lost=[part.lost[0] for part in parts],
        gaps=[gap for part in parts for gap in part.gaps],
    )
