"""The outcomes of a BENCH's runs as one. Pure, on messages.

What concerns the engine is the first run's: its checks, its accuracy, the look into it. What was timed is of all runs
that count: medians of their medians, with the interval of a repeat.
"""

from collections.abc import Sequence

from agent.repeat.fate import final_fates, timed
from agent.repeat.flags import merge_flags
from agent.repeat.numbers import merge_metrics
from jetfleet.v1.task_pb2 import FAILURE_KIND_TIME_LIMIT, Measurement, Outcome


def merge_runs(outcomes: Sequence[Outcome]) -> Outcome:
    """A later run's failure is the attempt's, with which run it was; that time ran out costs only the run it hit."""
    last = outcomes[-1]
    done = [outcome for outcome in outcomes if timed(outcome)]
    if len(outcomes) == 1 or not done:
        return _with_files(last, outcomes)
    if last.HasField("failure") and last.failure.kind != FAILURE_KIND_TIME_LIMIT:
        return _with_files(_tell_run(last, len(outcomes)), outcomes)
    if last.HasField("measured") and not timed(last):  # an engine that is wrong once is wrong
        return _with_files(_count_processes(last, len(outcomes)), outcomes)
    merged = Outcome()
    parts = zip(*(outcome.measured.measurements for outcome in done), strict=True)
    voids = [fate.void_reason for fate in final_fates(done)]
    merged.measured.measurements.extend(merge_measurements(part, voids, processes=len(outcomes)) for part in parts)
    return _with_files(merged, outcomes)


def merge_measurements(parts: Sequence[Measurement], voids: Sequence[str], *, processes: int) -> Measurement:
    """One subject's numbers of all runs; `voids` says of each why it counts for nothing, or is empty."""
    found = Measurement()
    found.CopyFrom(parts[0])
    for name in ("n", "warmup_n", "window", "warmup", "rounds", "runs", "flags", "metrics"):
        found.ClearField(name)
    found.processes = processes
    counted = [part for part, void in zip(parts, voids, strict=True) if not void]
    found.n = sum(part.n for part in counted)
    found.warmup_n = sum(part.warmup_n for part in counted)
    found.window.FromNanoseconds(sum(part.window.ToNanoseconds() for part in counted))
    found.warmup.FromNanoseconds(sum(part.warmup.ToNanoseconds() for part in counted))
    for part, void in zip(parts, voids, strict=True):
        for run in part.runs:
            found.runs.add().CopyFrom(run)
            found.runs[-1].void_reason = void
    found.rounds.extend(each for part in counted for each in part.rounds)
    merge_metrics(found, first=parts[0], counted=counted)
    found.flags.extend(merge_flags(parts[0], counted, found))
    return found


def _with_files(found: Outcome, outcomes: Sequence[Outcome]) -> Outcome:
    """A copy with what every run left for people."""
    merged = Outcome()
    merged.CopyFrom(found)
    del merged.artifacts[:]
    for outcome in outcomes:
        merged.artifacts.extend(outcome.artifacts)
    merged.peak_rss_bytes = max(outcome.peak_rss_bytes for outcome in outcomes)
    return merged


def _tell_run(failed: Outcome, number: int) -> Outcome:
    told = Outcome()
    told.CopyFrom(failed)
    if told.failure.phase:  # else it was stopped from outside
        told.failure.message = f"run {number} of this measurement: {told.failure.message}"
    return told


def _count_processes(found: Outcome, processes: int) -> Outcome:
    counted = Outcome()
    counted.CopyFrom(found)
    for item in counted.measured.measurements:
        item.processes = processes
    return counted
