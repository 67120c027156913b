"""Legal transitions of tasks and attempts as data, one guard, and what the end of an attempt means for its task.

Terminal is terminal. Everything that could be derived (a job's state) is derived here and stored nowhere.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from controller.model.task import AttemptEnd, AttemptState, FailureKind, JobState, TaskState

_T, _A = TaskState, AttemptState

TASK_TRANSITIONS: frozenset[tuple[TaskState, TaskState]] = frozenset(
    {
        (_T.WAITING, _T.READY),
        (_T.WAITING, _T.CANCELLED),
        (_T.WAITING, _T.SKIPPED),
        (_T.WAITING, _T.SUPERSEDED),
        (_T.WAITING, _T.TIMED_OUT),  # the job's deadline passed
        (_T.READY, _T.WAITING),  # re-planned: the engine it needs is another one
        (_T.READY, _T.LEASED),
        (_T.READY, _T.CANCELLED),
        (_T.READY, _T.TIMED_OUT),
        (_T.READY, _T.SUPERSEDED),
        (_T.READY, _T.SKIPPED),  # the only board that was to take it was removed
        (_T.LEASED, _T.READY),
        (_T.LEASED, _T.SUCCEEDED),
        (_T.LEASED, _T.FAILED),
        (_T.LEASED, _T.CANCELLED),
        (_T.LEASED, _T.TIMED_OUT),
        (_T.LEASED, _T.SUPERSEDED),
    }
)
ATTEMPT_TRANSITIONS: frozenset[tuple[AttemptState, AttemptState]] = frozenset(
    {(_A.LEASED, _A.RUNNING)}
    | {
        (start, end)
        for start in (_A.LEASED, _A.RUNNING)
        for end in (_A.COMMITTED, _A.FAILED, _A.EXPIRED, _A.REBOOTED, _A.RETURNED, _A.CANCELLED)
    }
)
OPEN_ATTEMPT = frozenset({_A.LEASED, _A.RUNNING})
TERMINAL = frozenset({_T.SUCCEEDED, _T.FAILED, _T.CANCELLED, _T.TIMED_OUT, _T.SKIPPED, _T.SUPERSEDED})

# A child that dies twice would die again. A board or a link that fails is tried elsewhere, a few times. A task whose
# device keeps vanishing under it is poison too, only slower.
MAX_CRASHES = 2
MAX_FAULTS = 3
MAX_LOST = 4
# A board that drains gives a task back and is no fault; one that always gives it back would keep it for ever.
MAX_RETURNED = 10
_Ends: TypeAlias = frozenset[FailureKind | AttemptState | None]
_CRASHES: _Ends = frozenset({FailureKind.CRASHED, FailureKind.OUT_OF_MEMORY})
_FAULTS: _Ends = frozenset({FailureKind.DEVICE_FAULT, FailureKind.INFRASTRUCTURE})
_LOST: _Ends = frozenset({_A.EXPIRED, _A.REBOOTED})
_RETURNED: _Ends = frozenset({_A.RETURNED})


class IllegalTransition(Exception):
    """A bug, not a user's mistake: carries the story of the task."""

    def __init__(self, start: object, end: object, story: str) -> None:
        super().__init__(f"{start} -> {end} is not a legal transition; {story}")


def advance(start: TaskState, end: TaskState, *, story: str = "") -> TaskState:
    """The one guard that every change of a task's state passes."""
    if (start, end) not in TASK_TRANSITIONS:
        raise IllegalTransition(start, end, story)
    return end


def advance_attempt(start: AttemptState, end: AttemptState, *, story: str = "") -> AttemptState:
    if (start, end) not in ATTEMPT_TRANSITIONS:
        raise IllegalTransition(start, end, story)
    return end


def after_attempt(history: Sequence[AttemptEnd], *, stopped_as: TaskState | None = None) -> TaskState:
    """What a LEASED task becomes when the last attempt of `history` has ended.

    `stopped_as` is what it ends as if it was asked to stop meanwhile: CANCELLED, TIMED_OUT, SUPERSEDED. What was
    committed all the same still counts.
    """
    last = history[-1]
    if last.state is _A.COMMITTED:
        return _T.SUCCEEDED
    if stopped_as is not None:
        return stopped_as
    if last.state is _A.CANCELLED:
        return _T.CANCELLED
    if last.failure is FailureKind.TIME_LIMIT:
        return _T.TIMED_OUT
    spent, limit = retry_budget(history)
    return _T.READY if spent < limit else _T.FAILED


def retry_budget(history: Sequence[AttemptEnd]) -> tuple[int, int]:
    """How many attempts ended like the last one, and how many may; (0, 0) for an end that is not of a counted kind."""
    last = history[-1]
    budgets = ((_LOST, MAX_LOST), (_CRASHES, MAX_CRASHES), (_FAULTS, MAX_FAULTS), (_RETURNED, MAX_RETURNED))
    for ends, limit in budgets:
        if last.failure in ends or last.state in ends:
            return sum(item.failure in ends or item.state in ends for item in history), limit
    return 0, 0


def shunned_devices(history: Iterable[AttemptEnd]) -> frozenset[str]:
    """Devices on which this task met a fault that is the device's: go elsewhere where the target allows."""
    return frozenset(item.device_id for item in history if item.failure in _FAULTS)


def job_state(states: Iterable[TaskState], *, cancel_asked: bool = False) -> JobState:
    """A job's state from its own tasks'. The worst end wins: a job succeeds only if everything did that it needed."""
    present = set(states) - {_T.SUPERSEDED}
    if present - TERMINAL:
        busy = present & {_T.LEASED, _T.SUCCEEDED, _T.FAILED, _T.TIMED_OUT, _T.SKIPPED}
        return JobState.RUNNING if busy else JobState.WAITING
    if _T.FAILED in present:
        return JobState.FAILED
    if _T.TIMED_OUT in present:
        return JobState.TIMED_OUT
    if _T.SKIPPED in present:
        return JobState.FAILED
    if _T.CANCELLED in present or (cancel_asked and not present):
        return JobState.CANCELLED
    return JobState.SUCCEEDED
