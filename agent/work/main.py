"""The child process of an attempt: `python -m agent.work ATTEMPT_DIR`.

It is disposable: it may crash, hang or be killed at any instruction, and the agent reports what happened. What it
knows how to explain it writes as its outcome; anything else is a traceback in the log and a bad exit code.
"""

import ctypes
import errno
import json
import logging
import os
import resource
import signal
import traceback
from collections.abc import Mapping
from pathlib import Path

from agent.attempt import AttemptDir
from agent.memory_errors import add_memory_advice
from agent.repeat.role import RunRole, role_from
from agent.runtime.base import BuildRefused, DeviceFault, Report
from agent.work.bench import run_bench
from agent.work.build import run_build
from agent.work.environment import gather
from agent.work.inspection import inspect_bench, was_timed
from jetfleet.errors import BadInput, Infrastructure, JetfleetError
from jetfleet.plain_log import log_plainly
from jetfleet.plausible import impossible_number
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENVIRONMENT,
    FAILURE_KIND_BAD_INPUT,
    FAILURE_KIND_BUILD_REFUSED,
    FAILURE_KIND_DEVICE_FAULT,
    FAILURE_KIND_INFRASTRUCTURE,
    FAILURE_KIND_OUT_OF_MEMORY,
    Failure,
    FailureKind,
    Outcome,
    TaskSpec,
)

_log = logging.getLogger(__name__)
_FIRST = RunRole()
_PR_SET_PDEATHSIG = 1
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Reporter:
    """Progress as JSON lines on a pipe; a reader that is slow or gone never stops the work."""

    def __init__(self, descriptor: int | None) -> None:
        self.phase = ""
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_blocking(descriptor, False)

    def __call__(self, phase: str, fraction: float | None, detail: str) -> None:
        self.phase = phase
        if self._descriptor is None:
            return
        line = json.dumps({"phase": phase, "fraction": fraction, "detail": detail}) + "\n"
        try:
            os.write(self._descriptor, line.encode())
        except BlockingIOError:
            return  # the pipe is full: the next line will do
        except BrokenPipeError:
            self._descriptor = None


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    log_plainly(format_="%(levelname)s %(name)s %(message)s")
    _die_with_parent(env)
    _set_limits(env)
    attempt = AttemptDir(Path(arguments[0]))
    descriptor = env.get("JETFLEET_PROGRESS_FD")
    attempt.write_outcome(run(attempt, Reporter(int(descriptor) if descriptor else None), role_from(env)))
    return 0


def run(attempt: AttemptDir, reporter: Reporter, role: RunRole = _FIRST) -> Outcome:
    """The attempt's outcome; exceptions that nobody can explain pass through."""
    notes: dict[str, str] = {}
    try:
        spec = TaskSpec.FromString(attempt.task.read_bytes())
        _log.info("task %d %s begins", spec.task_id, spec.name)
        outcome = _dispatch(spec, attempt, reporter, notes, role)
        _refuse_impossible(outcome, spec)
        if role.is_first and was_timed(outcome):
            # An inspection that takes the process with it, or more time than is left, costs no measurement.
            attempt.write_outcome(_add_environment(outcome, attempt, {**notes, "inspection": "did not end"}, role))
            inspect_bench(spec.bench, outcome, attempt, reporter, notes)
        _refuse_impossible(outcome, spec)
        return _add_environment(outcome, attempt, notes, role)
    except (JetfleetError, MemoryError, OSError) as error:
        kind = _kind(error)
        if kind is None:
            raise
        traceback.print_exc()
        message = str(error) or type(error).__name__
        if kind == FAILURE_KIND_OUT_OF_MEMORY:
            message = add_memory_advice(message)
        failure = Failure(kind=kind, message=message, phase=reporter.phase)
        return Outcome(failure=failure, peak_rss_bytes=peak_rss_bytes())


def _refuse_impossible(outcome: Outcome, spec: TaskSpec) -> None:
    """Raises DeviceFault for numbers that no inference has: a clock or a driver told them."""
    fault = impossible_number(outcome, runtimes=[subject.runtime for subject in spec.bench.subjects])
    if fault:
        raise DeviceFault(f"the outcome holds a number that cannot be: {fault}")


def _add_environment(outcome: Outcome, attempt: AttemptDir, notes: Mapping[str, str], role: RunRole) -> Outcome:
    """A copy of the outcome, with the record of the surroundings."""
    environment = attempt.root / "environment.part"
    environment.write_text(json.dumps(gather(notes), indent=1, sort_keys=True) + "\n")
    completed = Outcome(peak_rss_bytes=peak_rss_bytes())
    completed.MergeFrom(outcome)
    name = role.name("environment", ".json")
    completed.artifacts.append(attempt.publish(environment, ARTIFACT_ROLE_ENVIRONMENT, name))
    return completed


def _dispatch(spec: TaskSpec, attempt: AttemptDir, report: Report, notes: dict[str, str], role: RunRole) -> Outcome:
    work = spec.WhichOneof("work")
    if work == "build":
        return run_build(spec.build, attempt, report)
    if work == "bench":
        return run_bench(spec.bench, attempt, report, notes, role=role)
    raise BadInput("the task asks for no work that this agent knows", expected="build, bench")


def _kind(error: BaseException) -> "FailureKind.ValueType | None":
    """What a failure is to the scheduler; None where it is not known."""
    if isinstance(error, BadInput):
        return FAILURE_KIND_BAD_INPUT
    if isinstance(error, BuildRefused):
        return FAILURE_KIND_BUILD_REFUSED
    if isinstance(error, DeviceFault):
        return FAILURE_KIND_DEVICE_FAULT
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return FAILURE_KIND_OUT_OF_MEMORY
    if isinstance(error, Infrastructure) or (isinstance(error, OSError) and error.errno in _FULL):
        return FAILURE_KIND_INFRASTRUCTURE
    return FAILURE_KIND_INFRASTRUCTURE if isinstance(error, FileNotFoundError) else None


def peak_rss_bytes(status: Path = Path("/proc/self/status")) -> int:
    """The most memory this program had resident; 0 if unknown.

    Not getrusage: across exec the kernel carries over the peak of the process that started this one.
    """
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _die_with_parent(env: Mapping[str, str]) -> None:
    """Makes the kernel kill this process when the agent dies, and leaves at once if it is dead already."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    parent = env.get("JETFLEET_PARENT_PID")
    if parent and os.getppid() != int(parent):
        os._exit(1)


def _set_limits(env: Mapping[str, str]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the signal says what a crash was; a core would fill the disk
    memory = env.get("JETFLEET_MEMORY_LIMIT_BYTES")
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
