"""One BENCH inside the child: load the engines, check their outputs first, and time them only if they are right."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import ParamSpec, TypeVar

import numpy as np

from agent.attempt import AttemptDir
from agent.runtime.arrays import write_npy
from agent.runtime.base import Report, Runtime
from agent.runtime.registry import open_runtime
from agent.telemetry.contention import Contention, interference
from agent.work.aggregate import lock_flags, lost_windows, not_timed, whole
from agent.work.measure import Limits, check_options, record
from agent.work.subject import Checked, load_and_check
from agent.work.summary import Recording, summarise, untimed
from agent.work.together import Lane, record_together
from jetfleet.placement import CPU
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_SAMPLES,
    PROVENANCE_SIMULATED,
    BenchTask,
    Flag,
    Measured,
    Measurement,
    Outcome,
    Subject,
)

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def run_bench(task: BenchTask, attempt: AttemptDir, report: Report, notes: dict[str, str]) -> Outcome:
    """Measures the subjects; `notes` takes the sessions' configurations, for the environment record.

    Threads that concurrent subjects share out among themselves are written into the task's options.
    """
    limits = check_options(task)
    runtimes = [open_runtime(subject.runtime) for subject in task.subjects]
    if task.schedule == BenchTask.SCHEDULE_CONCURRENT:
        share_threads(task.subjects, os.environ.get("JETFLEET_THREADS") or str(len(os.sched_getaffinity(0))))
        measurements = _together(task, runtimes, limits, attempt, report, notes)
    else:
        measurements = [_alone(runtimes[0], task.subjects[0], limits, attempt, report, notes)]
    return Outcome(measured=Measured(measurements=measurements))


def share_threads(subjects: Sequence[Subject], available: str) -> None:
    """Gives each CPU subject its share of the threads, at least one, where the job does not say how many.

    Else every one of them would take as many as there are CPUs, and all of them would stand in line.
    """
    takers = [subject for subject in subjects if subject.runtime == "onnxruntime" and subject.placement in ("", CPU)]
    for subject in takers:
        if available.isdigit() and "threads" not in subject.options:  # else the runtime says what is wrong with it
            subject.options["threads"] = str(max(1, int(available) // len(takers)))


def _alone(
    runtime: Runtime, subject: Subject, limits: Limits, attempt: AttemptDir, report: Report, notes: dict[str, str]
) -> Measurement:
    checked = load_and_check(runtime, subject, attempt, report)
    notes.update(checked.session.describe())
    if checked.is_wrong:
        checked.session.close()
        return checked.label(untimed("not timed: the outputs are wrong"), 0)
    with _watched([checked], notes) as disturbed:
        recording = record(checked.session, limits, report)
    checked.session.close()
    report("summarise", None, "")
    measurement = checked.label(_timed(recording, subject, attempt, 0), 0)
    measurement.flags.extend(disturbed)
    return measurement


def _together(
    task: BenchTask,
    runtimes: Sequence[Runtime],
    limits: Limits,
    attempt: AttemptDir,
    report: Report,
    notes: dict[str, str],
) -> list[Measurement]:
    """A measurement of each subject, and last the whole's. Each session lives and dies in a thread of its own."""
    with ExitStack() as stack:
        loaded: list[Checked] = []
        lanes = []
        for index, (runtime, subject) in enumerate(zip(runtimes, task.subjects, strict=True)):
            thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix=f"subject-{index}"))
            checked = _in(thread, load_and_check, runtime, subject, attempt, report)
            stack.callback(_in, thread, checked.session.close)
            notes.update({f"{index}.{name}": text for name, text in checked.session.describe().items()})
            loaded.append(checked)
            lanes.append(Lane(checked.session, thread))
        if any(checked.is_wrong for checked in loaded):
            return not_timed(loaded)
        with _watched(loaded, notes) as disturbed:
            company = record_together(lanes, limits, report)
    report("summarise", None, "")
    found = []
    for index, (checked, recording) in enumerate(zip(loaded, company.recordings, strict=True)):
        measurement = checked.label(_timed(recording, checked.subject, attempt, index), index)
        measurement.flags.extend([*disturbed, *lost_windows(company, index)])
        if checked.runtime.provenance != PROVENANCE_SIMULATED:
            measurement.flags.extend(lock_flags(recording, len(lanes) - 1))
        found.append(measurement)
    return [*found, whole(found, task.subjects, company)]


def _in(
    thread: Executor, call: Callable[_Arguments, _Answer], *args: _Arguments.args, **kwargs: _Arguments.kwargs
) -> _Answer:
    """What a call answers, or raises, in another thread."""
    return thread.submit(call, *args, **kwargs).result()


@contextmanager
def _watched(loaded: Sequence[Checked], notes: dict[str, str]) -> Iterator[list[Flag]]:
    """Fills the list, when the timing is over, with flags for what others did to it."""
    contention, found = Contention(), list[Flag]()
    yield found
    if all(checked.runtime.provenance == PROVENANCE_SIMULATED for checked in loaded):
        return  # what never ran cannot have been disturbed
    waiting = contention.waiting()
    notes["waited_for_cpu"] = str(waiting or "unknown")
    found += interference(waiting)


def _timed(recording: Recording, subject: Subject, attempt: AttemptDir, index: int) -> Measurement:
    measurement = summarise(recording, subject.batch)
    samples = attempt.root / "samples.part"
    write_npy(samples, np.concatenate(recording.rounds))
    measurement.samples.CopyFrom(attempt.publish(samples, ARTIFACT_ROLE_SAMPLES, f"samples-{index}.npy"))
    return measurement
