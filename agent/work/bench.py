"""One BENCH inside the child: load the engines, check their outputs first, and time them only if they are right."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.attempt import AttemptDir
from agent.repeat.role import RunRole
from agent.runtime.arrays import write_npy
from agent.runtime.base import Report, Runtime
from agent.runtime.registry import open_runtime
from agent.work.aggregate import aggregate, lock_flags, lost_window_flags, untimed_measurements
from agent.work.interleave import InTurns, Turns, interleave
from agent.work.measure import MeasureLimits, check_options, measure
from agent.work.one_run import add_run
from agent.work.pace import pace_circumstances
from agent.work.process_age import process_age_s
from agent.work.soak import sensors_of, soak
from agent.work.streams import by_subject, open_stream
from agent.work.subject import LoadedSubject, load_and_check
from agent.work.summary import Recording, summarise
from agent.work.surroundings import Observed, Surroundings
from agent.work.timeline import PhaseLog, publish_timeline
from agent.work.together import CallerThread, GroupRecording, Lane
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_SAMPLES,
    PROVENANCE_SIMULATED,
    BenchTask,
    Flag,
    Measured,
    Measurement,
    Outcome,
    PairedRun,
    Subject,
)

_FIRST = RunRole()


def run_bench(
    task: BenchTask,
    attempt: AttemptDir,
    tell: Report,
    notes: dict[str, str],
    *,
    role: RunRole = _FIRST,
    root: Path = Path("/"),
) -> Outcome:
    """Measures the subjects, and last, where they are several, their aggregate.

    `notes` takes the sessions' configurations, for the environment record. Threads that concurrent subjects share out
    among themselves are written into the task's options. `root` is where the machine's sensors are read.
    """
    limits, turns, report = check_options(task, role), _turns(task, role), PhaseLog(tell)
    _share_threads(task)
    with ExitStack() as stack:
        runtimes = [open_runtime(subject.runtime) for subject in task.subjects]
        simulated = all(runtime.provenance == PROVENANCE_SIMULATED for runtime in runtimes)
        surroundings = Surroundings(task, notes, root=root, simulated=simulated)
        stack.callback(surroundings.close)
        began = time.monotonic()
        surroundings.start(wait_at_rest=role.is_first)
        at_rest_s = time.monotonic() - began
        loaded, lanes = _load(task, runtimes, attempt, report, notes, stack, turns=turns, role=role)
        if any(subject.is_wrong for subject in loaded):
            return Outcome(measured=Measured(measurements=untimed_measurements(loaded, with_whole=turns is None)))
        load_s = process_age_s() - at_rest_s - sum(each.evaluation_s for each in loaded)
        every_lane = [lane for streams in lanes for lane in streams]
        soaked = soak(every_lane, task.measure, report, role=role, sensors=sensors_of(root, simulated=simulated))
        in_turns: list[InTurns] = []
        seen, observed = surroundings.watch(lambda: _time(lanes, limits, report, turns, in_turns))
    report("summarise", None, "")
    observed.circumstances.update({**pace_circumstances(limits.pace), **soaked.circumstances})
    found = _Found(loaded, seen, observed, beside=0 if turns else len(every_lane) - 1, with_whole=turns is None)
    measured = Measured(measurements=_summarise_all(found, attempt, role))
    for measurement in measured.measurements:
        add_run(measurement, role.index, load_s)
        soaked.add_metrics(measurement)
    if turns is not None:
        measured.interleaved.runs.append(_paired_run(turns, in_turns[0], observed.pauses))
    files = observed.publish(attempt, f"telemetry.{role.index}.jsonl")
    files += publish_timeline(attempt, f"timeline.{role.index}.npz", seen, report, is_made_up=simulated)
    return Outcome(measured=measured, artifacts=files)


def _time(
    lanes: Sequence[Sequence[Lane]],
    limits: MeasureLimits,
    report: Report,
    turns: Turns | None,
    in_turns: list[InTurns],
) -> GroupRecording:
    """What is seen of the subjects, each with its lanes; what two in turns amount to is added to `in_turns`."""
    every_lane = [lane for streams in lanes for lane in streams]
    if turns is None:
        return by_subject(measure(every_lane, limits, report), list(map(len, lanes)))
    in_turns.append(interleave(every_lane, limits, report, turns=turns))
    return in_turns[0].seen


def _turns(task: BenchTask, role: RunRole) -> Turns | None:
    """The order of this process; None where subjects are not timed in turns."""
    return Turns(role.index) if task.schedule == BenchTask.SCHEDULE_INTERLEAVED else None


def _paired_run(turns: Turns, in_turns: InTurns, pauses: Sequence[Flag]) -> PairedRun:
    return PairedRun(
        index=turns.run,
        second_loaded_first=turns.second_loaded_first,
        ratios=in_turns.by_metric(),
        left_out="; ".join(flag.evidence for flag in pauses),
    )


def _share_threads(task: BenchTask) -> None:
    if task.schedule == BenchTask.SCHEDULE_CONCURRENT:
        share_threads(task.subjects, os.environ.get("JETFLEET_THREADS") or str(len(os.sched_getaffinity(0))))


def share_threads(subjects: Sequence[Subject], available: str) -> None:
    """Gives each CPU subject its share of the threads, at least one, where the job does not say how many.

    Else every one of them would take as many as there are CPUs, and all of them would stand in line.
    """
    takers = [subject for subject in subjects if subject.runtime == "onnxruntime" and subject.placement in ("", "cpu")]
    for subject in takers:
        if available.isdigit() and "threads" not in subject.options:  # else the runtime says what is wrong with it
            subject.options["threads"] = str(max(1, int(available) // len(takers)))


def _load(
    task: BenchTask,
    runtimes: Sequence[Runtime],
    attempt: AttemptDir,
    report: Report,
    notes: dict[str, str],
    stack: ExitStack,
    *,
    turns: Turns | None,
    role: RunRole,
) -> tuple[list[LoadedSubject], list[list[Lane]]]:
    """Every subject with its lanes. Each session lives and dies in a thread of its own, a sole one in this thread."""
    counts = [max(1, subject.streams) for subject in task.subjects]
    alone = len(runtimes) == 1
    loaded: dict[int, LoadedSubject] = {}
    lanes: dict[int, list[Lane]] = {}
    for index in range(len(runtimes)) if turns is None else turns.load_order:
        runtime, subject = runtimes[index], task.subjects[index]
        thread: Executor = CallerThread()
        if sum(counts) > 1:
            thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix=f"subject-{index}"))
        found = thread.submit(load_and_check, runtime, subject, attempt, report, is_first=role.is_first).result()
        stack.callback(_close, found, thread)
        prefix = "" if alone else f"{index}."
        notes.update({f"{prefix}{name}": text for name, text in found.session.describe().items()})
        lanes[index] = [Lane(found.session, thread)]
        for _ in range(0 if found.is_wrong else counts[index] - 1):
            lane, flags = open_stream(found, attempt, stack)
            lanes[index].append(lane)
            found = replace(found, flags=[*found.flags, *flags])
        loaded[index] = found
    return [loaded[index] for index in sorted(loaded)], [lanes[index] for index in sorted(lanes)]


def _close(loaded: LoadedSubject, thread: Executor) -> None:
    thread.submit(loaded.session.close).result()


@dataclass(frozen=True)
class _Found:
    """What was seen while subjects were timed: each lane with `beside` others; `with_whole`: all at the same time."""

    loaded: Sequence[LoadedSubject]
    seen: GroupRecording
    observed: Observed
    beside: int
    with_whole: bool


def _summarise_all(found: _Found, attempt: AttemptDir, role: RunRole) -> list[Measurement]:
    """A measurement of each subject, and of the whole where there is one."""
    measurements = []
    for index, (subject, recording) in enumerate(zip(found.loaded, found.seen.recordings, strict=True)):
        numbers = _summarise(recording, subject.subject, attempt, role.name(f"samples-{index}", ".npy"))
        measurement = subject.label(numbers, index)
        measurement.flags.extend([*found.observed.flags, *lost_window_flags(found.seen, index)])
        measurement.circumstances.update(found.observed.circumstances)
        found.observed.add_metrics(measurement, drawn_by=[measurement] if len(found.loaded) == 1 else [])
        if subject.runtime.provenance != PROVENANCE_SIMULATED:
            measurement.flags.extend(lock_flags(recording, found.beside))
        measurements.append(measurement)
    if found.with_whole and len(measurements) > 1:
        whole = aggregate(measurements, [subject.subject for subject in found.loaded], found.seen)
        found.observed.add_metrics(whole, drawn_by=measurements)
        measurements.append(whole)
    return measurements


def _summarise(recording: Recording, subject: Subject, attempt: AttemptDir, file_name: str) -> Measurement:
    """The recording as a measurement; its samples are published."""
    measurement = summarise(recording, subject.batch)
    samples = attempt.root / "samples.part"
    write_npy(samples, np.concatenate(recording.rounds))
    measurement.samples.CopyFrom(attempt.publish(samples, ARTIFACT_ROLE_SAMPLES, file_name))
    return measurement
