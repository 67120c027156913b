"""Tasks as the agent runs them, in fresh processes of a folder here, without an agent or a controller."""

import asyncio
import hashlib
from pathlib import Path

from agent.daemon.runner import run_attempt
from jetfleet.v1.task_pb2 import Artifact, ArtifactRole, Outcome, TaskSpec
from testing.processes import BrokenRun


class LocalAttempts:
    """Runs tasks as the agent does, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "store").mkdir()

    def put(self, content: bytes, role: "ArtifactRole.ValueType", name: str) -> Artifact:
        sha256 = hashlib.sha256(content).hexdigest()
        (self._folder / "store" / sha256).write_bytes(content)
        return Artifact(role=role, name=name, sha256=sha256, size_bytes=len(content))

    def output(self, sha256: str) -> Path:
        return self._folder / "attempt" / "out" / sha256

    def run(self, spec: TaskSpec) -> Outcome:
        """Raises BrokenRun for a failure."""
        spec.time_limit.FromSeconds(1200)
        store = self._folder / "store"
        outcome = asyncio.run(
            run_attempt(
                spec,
                self._folder / "attempt",
                store.joinpath,
                on_progress=lambda progress: None,
                stop=asyncio.Event(),
                env={},
            )
        )
        if outcome.HasField("failure"):
            raise BrokenRun(outcome.failure.message)
        return outcome
