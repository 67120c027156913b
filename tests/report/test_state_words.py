"""Each state of a job or task has a word of its own for people."""

from itertools import chain

import pytest

from controller.model.state_words import state_word
from controller.model.task import JobState, TaskState
from controller.report.text.jobs import jobs_table, tasks_table
from testing.views import job, task


@pytest.mark.parametrize("states", [TaskState, JobState])
def test_no_two_states_share_a_word(states: type[TaskState] | type[JobState]) -> None:
    words = [state_word(state) for state in states]
    assert len(set(words)) == len(words)
    assert all(word == word.lower() and "_" not in word for word in words)


def test_tables_show_the_words() -> None:
    tables = (tasks_table([task(state=TaskState.READY)]), jobs_table([job(state=JobState.SUCCEEDED)]))
    shown = set(chain.from_iterable(chain.from_iterable(table.rows for table in tables)))
    assert {"queued", "done"} <= shown
