"""What happened when in one process of a BENCH: its phases, and of every inference when it began and its stages.

An .npz, for exports that show single inferences. Times are in seconds or milliseconds from the begin of the first
round.
"""

import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.attempt import AttemptDir
from agent.runtime.base import Report
from agent.work.summary import Recording
from agent.work.together import GroupRecording
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_TIMELINE, Artifact

MOST_INFERENCES = 20_000  # of a subject; the first ones: a file of a megabyte at most
ABOUT = "about"  # the array that holds what is no array, as bytes of JSON


@dataclass
class PhaseLog:
    """A Report that passes on what it is told, and notes when a phase began."""

    report: Report
    clock: Callable[[], float] = time.monotonic
    began: list[tuple[str, float]] = field(default_factory=list)

    def __call__(self, phase: str, fraction: float | None, detail: str) -> None:
        if not self.began or self.began[-1][0] != phase:
            self.began.append((phase, self.clock()))
        self.report(phase, fraction, detail)

    def spans(self, zero_s: float) -> list[tuple[str, float, float]]:
        """Name, begin and end of each phase, the last one up to now."""
        ends = [*(at_s for _, at_s in self.began[1:]), self.clock()]
        return [(name, at_s - zero_s, end_s - zero_s) for (name, at_s), end_s in zip(self.began, ends, strict=True)]


def publish_timeline(
    attempt: AttemptDir, file_name: str, seen: GroupRecording, phases: PhaseLog, *, is_made_up: bool
) -> list[Artifact]:
    """`is_made_up`: inferences have a clock of their own, which begins with them."""
    if not seen.windows_ns:
        return []
    zero_ns = seen.windows_ns[0][0]
    spans = phases.spans(zero_ns / 1e9) if not is_made_up else phases.spans(phases.began[0][1])
    about = {"phases": spans, "rounds_s": [((a - zero_ns) / 1e9, (b - zero_ns) / 1e9) for a, b in seen.windows_ns]}
    arrays: dict[str, NDArray[np.generic]] = {ABOUT: np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    for index, recording in enumerate(seen.recordings):
        arrays |= {f"{index}.{column}": values for column, values in _columns(recording, zero_ns).items()}
    part = attempt.root / "timeline.part.npz"
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:  # as np.savez_compressed does
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.save(member, values)
    return [attempt.publish(part, ARTIFACT_ROLE_TIMELINE, file_name)]


def _columns(recording: Recording, zero_ns: int) -> dict[str, NDArray[np.generic]]:
    """One value for each inference, in time order."""
    begins_ns = _joined(recording.begins_ns)
    order = np.argsort(begins_ns, kind="stable")[:MOST_INFERENCES]
    rounds = np.repeat(np.arange(len(recording.rounds)), [len(block) for block in recording.rounds])
    found: dict[str, NDArray[np.generic]] = {
        "begin_ms": (begins_ns[order] - zero_ns) / 1e6,
        "round": rounds[order].astype(np.int32),
        "stream": _joined(recording.streams)[order].astype(np.int32),
    }
    for stage, blocks in recording.stages.items():
        found[f"{stage}_ms"] = np.concatenate(blocks)[order].astype(np.float32)
    return found


def _joined(blocks: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(blocks)
