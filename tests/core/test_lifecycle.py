"""States: every pair of the tables, every short history of attempts, every mixture of a job's tasks."""

import itertools

import pytest

from controller.core.lifecycle import (
    ATTEMPT_TRANSITIONS,
    MAX_CRASHES,
    MAX_FAULTS,
    MAX_LOST,
    MAX_RETURNED,
    OPEN_ATTEMPT,
    TASK_TRANSITIONS,
    TERMINAL,
    IllegalTransition,
    advance,
    advance_attempt,
    after_attempt,
    job_state,
    retry_budget,
    shunned_devices,
)
from controller.model.task import AttemptState, FailureKind, JobState, TaskState
from testing.tasks import ended, failed

T, A, F, J = TaskState, AttemptState, FailureKind, JobState

LEGAL_TASK = {
    T.WAITING: {T.READY, T.CANCELLED, T.SKIPPED, T.TIMED_OUT, T.SUPERSEDED},
    T.READY: {T.WAITING, T.LEASED, T.CANCELLED, T.SKIPPED, T.TIMED_OUT, T.SUPERSEDED},
    T.LEASED: {T.READY, T.SUCCEEDED, T.FAILED, T.CANCELLED, T.TIMED_OUT, T.SUPERSEDED},
}
LEGAL_ATTEMPT = {
    A.LEASED: {A.RUNNING, A.COMMITTED, A.FAILED, A.EXPIRED, A.REBOOTED, A.RETURNED, A.CANCELLED},
    A.RUNNING: {A.COMMITTED, A.FAILED, A.EXPIRED, A.REBOOTED, A.RETURNED, A.CANCELLED},
}


@pytest.mark.parametrize(("start", "end"), [*itertools.product(T, T)])
def test_every_pair_of_task_states(start, end):
    if end in LEGAL_TASK.get(start, ()):
        assert advance(start, end) is end
    else:
        with pytest.raises(IllegalTransition, match="told so far") as caught:
            advance(start, end, story="told so far")
        assert str(start) in str(caught.value)
        assert str(end) in str(caught.value)


@pytest.mark.parametrize(("start", "end"), [*itertools.product(A, A)])
def test_every_pair_of_attempt_states(start, end):
    if end in LEGAL_ATTEMPT.get(start, ()):
        assert advance_attempt(start, end) is end
    else:
        with pytest.raises(IllegalTransition, match="told so far"):
            advance_attempt(start, end, story="told so far")


def test_terminal_is_terminal():
    assert {start for start, _ in TASK_TRANSITIONS} == set(T) - TERMINAL
    assert {start for start, _ in ATTEMPT_TRANSITIONS} == OPEN_ATTEMPT


def test_every_state_can_be_reached_and_left_for_an_end():
    assert {end for _, end in TASK_TRANSITIONS} == set(T)
    assert {end for _, end in ATTEMPT_TRANSITIONS} == set(A) - {A.LEASED}


ENDS = (
    *(ended(state) for state in A if state not in {*OPEN_ATTEMPT, A.FAILED}),
    *(failed(kind) for kind in F),
)
CRASHES = {F.CRASHED, F.OUT_OF_MEMORY}
FAULTS = {F.DEVICE_FAULT, F.INFRASTRUCTURE}
LOST = {A.EXPIRED, A.REBOOTED}


def count(history, kinds):
    return sum(item.failure in kinds or item.state in kinds for item in history)


def histories(longest):
    """Every history that can really happen: nothing follows an attempt that ended its task."""
    grown = [()]
    for _ in range(longest):
        grown = [(*history, end) for history in grown if not history or alive(history) for end in ENDS]
        yield from grown


def alive(history):
    return after_attempt(history) is T.READY


def test_there_are_ends_to_try():
    assert len(ENDS) == 13
    assert sum(1 for _ in histories(2)) == 13 + 13 * 7  # READY after a first lost, faulty, crashed or returned attempt


def test_after_every_history_up_to_five_attempts():
    seen = set()
    for history in histories(5):
        state = after_attempt(history)
        seen.add(state)
        assert state in LEGAL_TASK[T.LEASED]
        assert state is expected(history), history
    assert seen == {T.READY, T.SUCCEEDED, T.FAILED, T.CANCELLED, T.TIMED_OUT}


def expected(history):
    """The rules once more, from the design's words."""
    last = history[-1]
    if last.state is A.FAILED:
        if last.failure is F.TIME_LIMIT:
            return T.TIMED_OUT
        if last.failure in CRASHES:
            return T.FAILED if count(history, CRASHES) >= 2 else T.READY
        if last.failure in FAULTS:
            return T.FAILED if count(history, FAULTS) >= 3 else T.READY
        return T.FAILED
    if last.state in LOST:
        return T.FAILED if count(history, LOST) >= 4 else T.READY
    return {A.COMMITTED: T.SUCCEEDED, A.CANCELLED: T.CANCELLED, A.RETURNED: T.READY}[last.state]


def test_no_task_is_crashed_or_lost_more_often_than_allowed():
    for history in histories(5):
        assert count(history, CRASHES) <= MAX_CRASHES == 2
        assert count(history, FAULTS) <= MAX_FAULTS == 3
        assert count(history, LOST) <= MAX_LOST == 4


def test_tasks_that_are_not_given_back_end_within_a_bound():
    """The longest life: every budget used up but one, and one more attempt."""
    bound = (MAX_CRASHES - 1) + (MAX_FAULTS - 1) + (MAX_LOST - 1) + 1
    retried = [ended(A.EXPIRED), ended(A.REBOOTED), failed(F.DEVICE_FAULT), failed(F.CRASHED)]
    longest, grown = 0, [()]
    while grown:
        longest += 1
        grown = [(*history, end) for history in grown for end in retried if after_attempt((*history, end)) is T.READY]
    assert longest == bound == 7


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_a_task_asked_to_cancel_ends_whatever_happened(end):
    state = after_attempt([end], stopped_as=T.CANCELLED)
    assert state is (T.SUCCEEDED if end.state is A.COMMITTED else T.CANCELLED)


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_a_task_whose_deadline_passed_is_timed_out_whatever_happened(end):
    state = after_attempt([end], stopped_as=T.TIMED_OUT)
    assert state is (T.SUCCEEDED if end.state is A.COMMITTED else T.TIMED_OUT)


def test_giving_back_has_its_own_long_budget():
    returned = [ended(A.RETURNED)] * (MAX_RETURNED - 1)
    assert after_attempt(returned) is T.READY
    assert after_attempt([*returned, failed(F.CRASHED)]) is T.READY
    assert after_attempt([failed(F.CRASHED), *returned, failed(F.OUT_OF_MEMORY)]) is T.FAILED
    assert after_attempt([*returned, ended(A.RETURNED)]) is T.FAILED


def test_a_failure_of_no_kind_is_not_tried_again():
    assert after_attempt([ended(A.FAILED)]) is T.FAILED


@pytest.mark.parametrize(
    ("history", "budget"),
    [
        ([failed(F.CRASHED)], (1, 2)),
        ([failed(F.CRASHED), ended(A.EXPIRED), failed(F.OUT_OF_MEMORY)], (2, 2)),
        ([failed(F.DEVICE_FAULT), failed(F.INFRASTRUCTURE)], (2, 3)),
        ([ended(A.EXPIRED), ended(A.REBOOTED), failed(F.CRASHED), ended(A.EXPIRED)], (3, 4)),
        ([ended(A.RETURNED)], (1, MAX_RETURNED)),
        ([failed(F.BAD_INPUT)], (0, 0)),
    ],
)
def test_retry_budget(history, budget):
    assert retry_budget(history) == budget


def test_a_task_shuns_devices_that_were_at_fault():
    history = [
        failed(F.DEVICE_FAULT, "a"),
        failed(F.INFRASTRUCTURE, "b"),
        failed(F.CRASHED, "c"),
        ended(A.EXPIRED, on="d"),
        ended(A.RETURNED, on="e"),
    ]
    assert shunned_devices(history) == {"a", "b"}
    assert shunned_devices([]) == frozenset()


def test_job_state_of_every_mixture_of_four_tasks():
    for size in range(1, 5):
        for states in itertools.combinations_with_replacement(T, size):
            got = job_state(states)
            assert got is job_state(reversed(states)), states
            assert got is job_state(states * 2), states
            counted = set(states) - {T.SUPERSEDED}
            unfinished = [state for state in states if state not in TERMINAL]
            if unfinished:
                untouched = counted <= {T.WAITING, T.READY, T.CANCELLED}
                assert got is (J.WAITING if untouched else J.RUNNING), states
            else:
                assert got is worst(states), states
            assert (got is J.SUCCEEDED) == (counted <= {T.SUCCEEDED})


def worst(states):
    order = {
        T.FAILED: J.FAILED,
        T.TIMED_OUT: J.TIMED_OUT,
        T.SKIPPED: J.FAILED,
        T.CANCELLED: J.CANCELLED,
        T.SUCCEEDED: J.SUCCEEDED,
        T.SUPERSEDED: J.SUCCEEDED,
    }
    return next(end for state, end in order.items() if state in states)


def test_a_job_without_tasks():
    assert job_state([]) is J.SUCCEEDED
    assert job_state([], cancel_asked=True) is J.CANCELLED
    assert job_state([T.SUCCEEDED], cancel_asked=True) is J.SUCCEEDED
