"""Engines that this agent built itself, by digest: what it runs where it was told to run no others'.

An engine is native code, and who builds one decides what the board that runs it does.
"""

from pathlib import Path

from jetfleet.v1 import task_pb2


class OwnEngines:
    """A line for each in the state folder. Without `only`, engines of others are run too."""

    def __init__(self, state_dir: Path, *, only: bool) -> None:
        self._path, self._only = state_dir / "own_engines", only

    def note(self, outcome: task_pb2.Outcome) -> None:
        if outcome.HasField("built"):
            with self._path.open("a") as file:
                file.write(f"{outcome.built.engine.sha256}\n")

    def fault(self, task: task_pb2.TaskSpec) -> task_pb2.Outcome | None:
        """What a task ends with that would run an engine of others; None where it may run."""
        if not self._only or not task.HasField("bench"):
            return None
        own = set(self._path.read_text().split()) if self._path.exists() else set()
        foreign = [item.engine.sha256[:12] for item in task.bench.subjects if item.engine.sha256 not in own]
        if not foreign:
            return None
        message = f"engine {foreign[0]} was not built here, and this agent runs none of others (--foreign-engines off)"
        failure = task_pb2.Failure(kind=task_pb2.FAILURE_KIND_INFRASTRUCTURE, message=message, phase="fetch")
        return task_pb2.Outcome(failure=failure)
