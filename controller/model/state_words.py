"""States of jobs and tasks as people read them. JSON, the database and the Python API keep the enums' names."""

from controller.model.task import JobState, TaskState

_WORDS: dict[TaskState | JobState, str] = {
    TaskState.WAITING: "waiting",
    TaskState.READY: "queued",
    TaskState.LEASED: "running",
    TaskState.SUCCEEDED: "done",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "cancelled",
    TaskState.TIMED_OUT: "timed out",
    TaskState.SKIPPED: "skipped",
    TaskState.SUPERSEDED: "no longer needed",
    JobState.WAITING: "queued",  # nothing of it runs, whatever each task waits for
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.TIMED_OUT: "timed out",
}


def state_word(state: TaskState | JobState) -> str:
    return _WORDS[state]
