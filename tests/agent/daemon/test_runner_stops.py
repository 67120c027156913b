"""Attempts that are ended: stopped, cancelled, killed, too long; nothing and nobody is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.daemon.runner import STOPPED
from jetfleet.v1.task_pb2 import (
    FAILURE_KIND_CRASHED,
    FAILURE_KIND_INFRASTRUCTURE,
    FAILURE_KIND_TIME_LIMIT,
)
from tests.agent.builders import Blobs, build_task
from tests.agent.daemon.attempts import MARK, Attempt, all_gone, children_of_this_process, failed, marked


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "store")


@pytest.fixture
def attempt(tmp_path: Path, blobs: Blobs) -> Attempt:
    return Attempt(tmp_path, blobs)


async def test_a_child_that_hangs_and_ignores_being_asked_is_killed(attempt: Attempt, blobs: Blobs) -> None:
    # The limit also counts a child's start, which takes half a second of a CPU that others may want too.
    failure = failed(await attempt.run(build_task(blobs, fail="hang", limit_s=10), grace_s=0.2))
    assert failure.kind == FAILURE_KIND_TIME_LIMIT
    assert failure.signal == "SIGKILL"
    assert failure.phase == "build"


async def test_a_stopped_attempt_ends_at_once(attempt: Attempt, blobs: Blobs) -> None:
    running = asyncio.ensure_future(attempt.run(build_task(blobs, build_s="600")))
    await attempt.heard_of("build")
    attempt.stop.set()
    failure = failed(await running)
    assert (failure.kind, failure.message) == (FAILURE_KIND_INFRASTRUCTURE, STOPPED)
    assert failure.signal == "SIGTERM"


async def test_a_cancelled_attempt_leaves_no_child(attempt: Attempt, blobs: Blobs) -> None:
    running = asyncio.ensure_future(attempt.run(build_task(blobs, build_s="600")))
    await attempt.heard_of("build")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not children_of_this_process()


async def test_a_child_killed_from_outside_is_a_crash(attempt: Attempt, blobs: Blobs) -> None:
    running = asyncio.ensure_future(attempt.run(build_task(blobs, build_s="600")))
    await attempt.heard_of("build")
    (child,) = children_of_this_process()
    os.kill(child, signal.SIGKILL)
    failure = failed(await running)
    assert (failure.kind, failure.signal) == (FAILURE_KIND_CRASHED, "SIGKILL")


async def test_grandchildren_are_killed_even_outside_the_group(tmp_path: Path, blobs: Blobs) -> None:
    attempt = Attempt(tmp_path, blobs, **{MARK: str(tmp_path)})
    outcome = await attempt.run(build_task(blobs, fail="forkbomb-lite"))
    assert outcome.HasField("built")
    assert await asyncio.to_thread(all_gone, f"{MARK}={tmp_path}")


AGENT = """
import asyncio, os, sys
from pathlib import Path
from agent.daemon.runner import run_attempt
from jetfleet.v1.task_pb2 import TaskSpec
root = Path(sys.argv[1])
spec = TaskSpec.FromString((root / "spec.pb").read_bytes())
asyncio.run(run_attempt(spec, root / "attempt", lambda sha256: root / "store" / sha256,
    on_progress=lambda progress: print(progress.phase, flush=True), stop=asyncio.Event(), env=os.environ))
"""


def test_no_orphan_survives_the_kill_of_its_agent(tmp_path: Path, blobs: Blobs) -> None:
    (tmp_path / "spec.pb").write_bytes(build_task(blobs, build_s="600").SerializeToString())
    mark = f"{MARK}={tmp_path}"
    with subprocess.Popen(
        [sys.executable, "-c", AGENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: str(tmp_path)},
    ) as agent:
        assert agent.stdout is not None
        assert any(line.strip() == "build" for line in agent.stdout)
        assert len(marked(mark)) == 2
        agent.kill()
    assert all_gone(mark)
