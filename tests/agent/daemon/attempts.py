"""An attempt as it runs, and which processes it leaves behind."""

import asyncio
import os
import time
from pathlib import Path

from agent.attempt import outputs_of
from agent.daemon.runner import run_attempt
from jetfleet.blobs import sha256_file
from jetfleet.v1.task_pb2 import (
    Failure,
    Outcome,
    Progress,
    TaskSpec,
)
from tests.agent.builders import Blobs

MARK = "LC_TEST_MARK"  # a variable that children see


class Attempt:
    """An attempt under way, and what was heard of it."""

    def __init__(self, tmp_path: Path, blobs: Blobs, **env: str) -> None:
        self.folder = tmp_path / "attempt"
        self.heard: list[Progress] = []
        self._news = asyncio.Event()
        self.stop = asyncio.Event()
        self._blobs = blobs
        self._env = {**os.environ, **env}

    async def run(self, spec: TaskSpec, *, grace_s: float = 5.0) -> Outcome:
        outcome = await run_attempt(
            spec,
            self.folder,
            self._blobs.path,
            on_progress=self._hear,
            stop=self.stop,
            env=self._env,
            grace_s=grace_s,
        )
        for item in outputs_of(outcome):
            path = self.folder / "out" / item.sha256
            assert (sha256_file(path), path.stat().st_size) == (item.sha256, item.size_bytes)
        return outcome

    def _hear(self, progress: Progress) -> None:
        self.heard.append(progress)
        self._news.set()

    async def heard_of(self, phase: str) -> None:
        while phase not in [progress.phase for progress in self.heard]:
            await self._news.wait()
            self._news.clear()

    def text(self, outcome: Outcome, role: int) -> str:
        (sha256,) = [item.sha256 for item in outcome.artifacts if item.role == role]
        return (self.folder / "out" / sha256).read_text()


def failed(outcome: Outcome) -> Failure:
    assert outcome.HasField("failure"), outcome
    return outcome.failure


def marked(text: str) -> list[int]:
    """Processes with this in their environment."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if text.encode() in environment_of(pid)]


def environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def all_gone(mark: str) -> bool:
    """Whether nobody with this mark is left; the killed are given time to go."""
    deadline = time.monotonic() + 60
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not marked(mark)


def children_of_this_process() -> list[int]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == os.getpid() and after_name[0] != "Z":
            found.append(int(pid))
    return found
