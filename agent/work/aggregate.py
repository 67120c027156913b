"""Subjects measured together: the row of their aggregate, and what one subject's fault means for the others.

Pure; knows neither sessions nor files.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from agent.telemetry.contention import LIMIT
from agent.work.subject import LoadedSubject
from agent.work.summary import Recording, untimed
from agent.work.together import GroupRecording
from jetfleet.plural import counted
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_BOUND_BY_LAUNCHES,
    FLAG_KIND_INTERFERED,
    FLAG_KIND_LAYERS_OVERLAP,
    FLAG_KIND_TACTICS_SKIPPED,
    FLAG_KIND_TOO_FEW_SAMPLES,
    FLAG_KIND_UNSTABLE,
    FLAG_KIND_WEAK_CALIBRATION,
    PROVENANCE_MEASURED,
    PROVENANCE_SIMULATED,
    Flag,
    FlagKind,
    Measurement,
    Subject,
)

# What the lock adds to an inference for each other thread, held against processes of their own: 1.7 us beside one, 4 us
# beside two (docs/measured).
_LOCK_MS = 0.002
_REMARKS = (
    FLAG_KIND_TACTICS_SKIPPED,
    FLAG_KIND_WEAK_CALIBRATION,
    FLAG_KIND_BOUND_BY_LAUNCHES,
    FLAG_KIND_LAYERS_OVERLAP,
)
_NO_LATENCY = "an aggregate has no latency of its own: see its subjects"
_WRONG = "not timed: the outputs are wrong"


def aggregate(parts: Sequence[Measurement], subjects: Sequence[Subject], seen: GroupRecording) -> Measurement:
    """The sum of its parts. No rounds: those of the parts, which lie in the same windows, say all there is to say.

    `window` is the wall clock that the parts share, each part's own is shorter by what the edges of windows cut off;
    so the throughput is the sum of theirs and not n / window, which would count a cut inference as none.
    """
    found = _without_numbers(parts, subjects, _NO_LATENCY)
    found.n = sum(part.n for part in parts)
    found.metrics["throughput_per_s"].value = sum(part.metrics["throughput_per_s"].value for part in parts)
    found.window.FromNanoseconds(round(seen.window_s * 1e9))
    found.warmup.CopyFrom(parts[0].warmup)
    found.warmup_n = sum(part.warmup_n for part in parts)
    return found


def untimed_measurements(loaded: Sequence[LoadedSubject], *, with_whole: bool = True) -> list[Measurement]:
    """Measurements without numbers, where the outputs of some are wrong: those beside them have none either."""
    wrong = [subject_name(index, each.subject) for index, each in enumerate(loaded) if each.is_wrong]
    others = f"not timed: the outputs of {' and '.join(wrong)} are wrong"
    parts = []
    for index, each in enumerate(loaded):
        part = each.label(untimed(_WRONG if each.is_wrong else others), index)
        if not each.is_wrong:
            part.flags.append(Flag(kind=FLAG_KIND_TOO_FEW_SAMPLES, evidence=others))
        parts.append(part)
    if len(parts) == 1 or not with_whole:
        return parts
    return [*parts, _without_numbers(parts, [each.subject for each in loaded], others)]


def lost_window_flags(seen: GroupRecording, index: int) -> list[Flag]:
    """UNSTABLE where a subject was once so slow that none of its inferences fitted into a window."""
    lost = seen.lost[index]
    if not lost:
        return []
    evidence = f"in {lost} of {counted(seen.runs, 'window')} no inference fitted, and they were left out"
    return [Flag(kind=FLAG_KIND_UNSTABLE, evidence=evidence)]


def lock_flags(recording: Recording, others: int) -> list[Flag]:
    """INTERFERED where inferences are so short that Python's lock, which one thread holds at a time, is a part of them.

    Latencies by a device's own clock do not hold it; how often an inference begins does.
    """
    wall_ms = float(np.median(np.concatenate(recording.stages.get("e2e", recording.rounds))))
    share = _LOCK_MS * others / wall_ms
    if share <= LIMIT:
        return []
    cause = f"waiting for Python's lock is about {share:.0%} of {wall_ms:.3g} ms (limit {LIMIT:.0%})"
    return [Flag(kind=FLAG_KIND_INTERFERED, evidence=f"{cause}: too short to be measured beside others")]


def name_subjects(found: Iterable[tuple[int, Subject, Iterable[Flag]]]) -> list[Flag]:
    """The parts' flags as the aggregate has them: each with whose it is, and what several share once.

    A remark on an engine is no fault of the number, and stays with its part.
    """
    names: dict[tuple[FlagKind.ValueType, str], list[str]] = {}
    for index, subject, flags in found:
        for flag in flags:
            if flag.kind not in _REMARKS:
                names.setdefault((flag.kind, flag.evidence), []).append(subject_name(index, subject))
    return [Flag(kind=kind, evidence=f"{' and '.join(who)}: {evidence}") for (kind, evidence), who in names.items()]


def subject_name(index: int, subject: Subject) -> str:
    return f"subject {index} on {subject.placement}"


def _without_numbers(parts: Sequence[Measurement], subjects: Sequence[Subject], reason: str) -> Measurement:
    found = untimed(reason)
    simulated = any(part.provenance == PROVENANCE_SIMULATED for part in parts)
    found.provenance = PROVENANCE_SIMULATED if simulated else PROVENANCE_MEASURED
    found.processes = 1
    common = set.intersection(*(set(part.circumstances.items()) for part in parts))
    found.circumstances.update(dict(common))
    found.flags.extend(name_subjects((index, subjects[index], part.flags) for index, part in enumerate(parts)))
    return found
