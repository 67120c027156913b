"""One attempt from its task to its outcome: inputs laid out, a child run and watched, its end explained.

Never raises for what a task did: a crash, a hang, an out-of-memory kill and a cancel are all an Outcome.
"""

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from agent.attempt import AttemptDir, inputs_of
from agent.daemon.child import ChildExit, ChildProcess, LogFile
from agent.memory_errors import add_memory_advice, mentions_lack_of_memory
from agent.repeat.repetition import repetition_of
from agent.repeat.role import RunRole, environment_of
from jetfleet.blobs import check_digest, sha256_file
from jetfleet.errors import Corrupt, JetfleetError
from jetfleet.plausible import impossible_number
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_LOG,
    FAILURE_KIND_BAD_INPUT,
    FAILURE_KIND_CRASHED,
    FAILURE_KIND_INFRASTRUCTURE,
    FAILURE_KIND_OUT_OF_MEMORY,
    FAILURE_KIND_TIME_LIMIT,
    Failure,
    FailureKind,
    Outcome,
    Progress,
    TaskSpec,
)

_log = logging.getLogger(__name__)

STOPPED = "stopped"
GRACE_S = 5.0


@dataclass(frozen=True)
class _Conditions:
    """What a child is to do, and what ends it where it does not end by itself."""

    spec: TaskSpec
    limit_s: float
    deadline: float  # of time.monotonic
    stop: asyncio.Event
    grace_s: float


@dataclass(frozen=True)
class _ChildSettings:
    """What one child is given, and who hears of it."""

    env: Mapping[str, str]
    role: RunRole
    on_progress: Callable[[Progress], None]


async def run_attempt(
    spec: TaskSpec,
    folder: Path,
    blob_path: Callable[[str], Path],
    *,
    on_progress: Callable[[Progress], None],
    stop: asyncio.Event,
    env: Mapping[str, str],
    grace_s: float = GRACE_S,
) -> Outcome:
    """Runs a task in a fresh process; its output files lie in `folder`/out by digest.

    `blob_path` says where an input lies. `stop` ends the attempt with a Failure of kind INFRASTRUCTURE whose message is
    STOPPED. A measurement takes several fresh processes, one after another, as far as the time limit leaves room.
    """
    attempt = AttemptDir(folder)
    on_progress(Progress(phase="fetch"))
    try:
        await asyncio.to_thread(_lay_out, spec, attempt, blob_path)
    except (JetfleetError, OSError) as error:
        kind = FAILURE_KIND_BAD_INPUT if getattr(error, "exit_code", 0) == 2 else FAILURE_KIND_INFRASTRUCTURE
        return Outcome(failure=Failure(kind=kind, message=str(error), phase="fetch"))
    begin = time.monotonic()
    limit_s = spec.time_limit.ToNanoseconds() / 1e9 or float("inf")
    conditions = _Conditions(spec, limit_s, begin + limit_s, stop, grace_s)
    repetition = repetition_of(spec)
    outcomes: list[Outcome] = []
    while True:
        child_settings = _ChildSettings(env, repetition.next_role(outcomes), on_progress)
        outcomes.append(await _run_child(attempt, conditions, child_settings))
        now = time.monotonic()
        more = repetition.wants_another(outcomes, spent_s=now - begin, left_s=conditions.deadline - now)
        if stop.is_set() or not more:
            return repetition.merge(outcomes)


def _lay_out(spec: TaskSpec, attempt: AttemptDir, blob_path: Callable[[str], Path]) -> None:
    """Raises Corrupt for an input that is not what its digest says: the disk may have changed since it came."""
    attempt.create(spec)
    for item in inputs_of(spec):
        target = attempt.blobs / check_digest(item.sha256)
        source = blob_path(item.sha256)
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)
        found = sha256_file(target)
        if found != item.sha256:
            raise Corrupt(
                f"input {item.name} is damaged: {item.sha256[:12]} on disk is {found[:12]}", where=str(source)
            )


def _read_outcome(attempt: AttemptDir, spec: TaskSpec) -> Outcome | None:
    """What the child left, unless it cannot be read or holds a number that cannot be; None if it left nothing."""
    try:
        outcome = attempt.read_outcome()
    except DecodeError:
        fault = "the outcome that the child wrote is damaged"
        return Outcome(failure=Failure(kind=FAILURE_KIND_INFRASTRUCTURE, message=fault))
    runtimes = [subject.runtime for subject in spec.bench.subjects]
    fault = impossible_number(outcome, runtimes=runtimes) if outcome is not None else ""
    if fault:
        message = f"the child's outcome holds a number that cannot be: {fault}"
        return Outcome(failure=Failure(kind=FAILURE_KIND_INFRASTRUCTURE, message=message))
    return outcome


async def _run_child(attempt: AttemptDir, conditions: _Conditions, settings: _ChildSettings) -> Outcome:
    attempt.outcome.unlink(missing_ok=True)
    role = settings.role
    log_name = role.name("log", ".txt")
    log = LogFile(attempt.root / log_name)
    kills_before, own_peak = _oom_kills(), _own_peak_bytes()
    told = environment_of(role)
    child = ChildProcess(attempt.root, env=settings.env, on_progress=settings.on_progress, told=told)
    exited = child.watch(log)
    try:
        verdict = await _wait(child, exited, conditions)
        child_exit = await exited
    finally:
        await asyncio.shield(child.clean_up())
        log.close()
    outcome = _read_outcome(attempt, conditions.spec)
    if outcome is None or (verdict is not None and not _measured_in_time(outcome, verdict)):
        oom_killed = _oom_kills() > kills_before
        failure = verdict or _explain_exit(child_exit, oom_killed, log)
        outcome = Outcome(failure=failure)
    _add_process_facts(outcome, child, child_exit, own_peak)
    outcome.artifacts.append(attempt.publish(attempt.root / log_name, ARTIFACT_ROLE_LOG, log_name))
    return outcome


async def _wait(child: ChildProcess, exited: "asyncio.Future[ChildExit]", conditions: _Conditions) -> Failure | None:
    """Until the child has ended; the failure, where we had to end it."""
    stopped: asyncio.Future[Any] = asyncio.ensure_future(conditions.stop.wait())
    waiting: set[asyncio.Future[Any]] = {exited, stopped}
    left_s = conditions.deadline - time.monotonic()
    timeout_s = None if left_s == float("inf") else max(0.0, left_s)
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    if exited.done():
        return None
    child.signal_group(signal.SIGTERM)
    await asyncio.wait({exited}, timeout=conditions.grace_s)
    child.signal_group(signal.SIGKILL)
    if conditions.stop.is_set():
        return Failure(kind=FAILURE_KIND_INFRASTRUCTURE, message=STOPPED)
    return Failure(kind=FAILURE_KIND_TIME_LIMIT, message=_explain_time_limit(child, conditions))


def _explain_time_limit(child: ChildProcess, conditions: _Conditions) -> str:
    """What was seen of the work by then, and the limit to raise."""
    detail = f" ({child.detail})" if child.detail else ""
    limit = "limits.build_s" if conditions.spec.HasField("build") else "limits.bench_s"
    return (
        f"still in phase {child.phase or 'start'}{detail}, begun {time.monotonic() - child.phase_began:.0f} s before, "
        f"at the time limit of {conditions.limit_s:g} s; raise {limit}"
    )


def _explain_exit(child_exit: ChildExit, oom_killed: bool, log: LogFile) -> Failure:
    """Why a child that left no outcome ended."""
    words = log.last_lines(3)
    kind: FailureKind.ValueType = FAILURE_KIND_CRASHED
    if child_exit.signal == "SIGKILL" and oom_killed:
        message = add_memory_advice("the kernel killed the child for lack of memory")
        return Failure(kind=FAILURE_KIND_OUT_OF_MEMORY, message=message)
    how = f"exited with code {child_exit.exit_code} and no outcome"
    if child_exit.signal:
        how = f"died of {child_exit.signal}"
    message = f"the child {how}" + (f": {words}" if words else "")
    if mentions_lack_of_memory(words):
        kind, message = FAILURE_KIND_OUT_OF_MEMORY, add_memory_advice(message)
    return Failure(kind=kind, message=message)


def _add_process_facts(outcome: Outcome, child: ChildProcess, child_exit: ChildExit, own_peak: int) -> None:
    """Adds what only the parent knows."""
    # The kernel's account begins with the peak of whoever started the child: below ours it says nothing of the child.
    if not outcome.peak_rss_bytes and child_exit.ru_maxrss_bytes > own_peak:
        outcome.peak_rss_bytes = child_exit.ru_maxrss_bytes
    if outcome.HasField("built") and outcome.peak_rss_bytes:
        outcome.built.peak_rss_bytes = outcome.peak_rss_bytes
    if outcome.HasField("failure"):
        outcome.failure.phase = outcome.failure.phase or child.phase or "start"
        _add_exit(outcome.failure, child_exit, outcome.peak_rss_bytes)


def _add_exit(failure: Failure, child_exit: ChildExit, peak_rss_bytes: int) -> None:
    if child_exit.exit_code is not None:
        failure.exit_code = child_exit.exit_code
    if child_exit.signal is not None:
        failure.signal = child_exit.signal
    if peak_rss_bytes:
        failure.peak_rss_bytes = peak_rss_bytes


def _measured_in_time(outcome: Outcome, verdict: Failure) -> bool:
    """Whether only what follows a measurement, the look into its engine, was still going on at the time limit."""
    return outcome.HasField("measured") and verdict.kind == FAILURE_KIND_TIME_LIMIT


def _oom_kills() -> int:
    """The kernel's out-of-memory kills so far, on this host and in this container."""
    total = 0
    for path in (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events")):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return total


def _own_peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
