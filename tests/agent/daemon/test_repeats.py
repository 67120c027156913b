"""What becomes of a measurement after its child: repeated where it is in doubt, kept where only its epilogue failed."""

import asyncio
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from agent.daemon.runner import has_room
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENVIRONMENT,
    ARTIFACT_ROLE_LOG,
    FLAG_KIND_INTERFERED,
    FLAG_KIND_PAUSED,
    FLAG_KIND_UNSTABLE,
    FLAG_KIND_WRONG_OUTPUT,
    Flag,
    FlagKind,
    Measured,
    Measurement,
    Outcome,
)
from tests.agent.builders import Blobs, bench_task
from tests.agent.daemon.test_runner import Attempt

OUTPUT = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "store")


@pytest.fixture
def attempt(tmp_path: Path, blobs: Blobs) -> Attempt:
    return Attempt(tmp_path, blobs)


async def test_an_unstable_measurement_is_repeated_once(attempt: Attempt, blobs: Blobs) -> None:
    spec = bench_task(blobs, seconds=(0, 0.1, 0.2), jitter="0.9", latency_ms="4")
    outcome = await attempt.run(spec)
    (found,) = outcome.measured.measurements
    assert FLAG_KIND_UNSTABLE in [flag.kind for flag in found.flags]
    assert found.processes == 2
    assert {item.name for item in outcome.artifacts if item.role == ARTIFACT_ROLE_LOG} == {"log.txt", "log-2.txt"}


@pytest.mark.parametrize(
    ("took_s", "limit_s", "room"), [(1, 2, False), (1, 2.4, False), (1, 3, True), (9, float("inf"), True)]
)
def test_it_is_not_repeated_where_the_limit_leaves_no_room(took_s: float, limit_s: float, room: bool) -> None:
    assert has_room(took_s, limit_s) == room


def measured(*kinds: "FlagKind.ValueType", n: int = 1) -> Outcome:
    flags = [Flag(kind=kind, evidence="seen") for kind in kinds]
    return Outcome(measured=Measured(measurements=[Measurement(n=n, flags=flags)]))


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ([FLAG_KIND_INTERFERED], [], 2),
        ([FLAG_KIND_INTERFERED], [FLAG_KIND_INTERFERED], 2),
        ([FLAG_KIND_UNSTABLE], [FLAG_KIND_INTERFERED, FLAG_KIND_UNSTABLE], 1),
        ([FLAG_KIND_INTERFERED], [FLAG_KIND_WRONG_OUTPUT], 2),  # an engine that is wrong once is wrong
    ],
)
async def test_of_two_runs_the_less_doubtful_is_kept(
    attempt: Attempt,
    blobs: Blobs,
    monkeypatch: pytest.MonkeyPatch,
    first: "list[FlagKind.ValueType]",
    second: "list[FlagKind.ValueType]",
    kept: int,
) -> None:
    ends = [measured(*first, n=1), measured(*second, n=2)]

    async def end(*_: object) -> Outcome:
        return ends.pop(0)

    monkeypatch.setattr("agent.daemon.runner._run_child", end)
    outcome = await attempt.run(bench_task(blobs))
    assert ends == []
    (found,) = outcome.measured.measurements
    assert (found.n, found.processes) == (kept, 2)


@pytest.mark.parametrize("how", ["crash", "hang", "error"])
async def test_a_measurement_outlives_the_look_into_its_engine(attempt: Attempt, blobs: Blobs, how: str) -> None:
    artifacts = blobs.references({}, {"y": OUTPUT})
    spec = bench_task(blobs, artifacts=artifacts, limit_s=15, fail=how, fail_at="inspect")
    outcome = await attempt.run(spec, grace_s=0.2)
    (found,) = outcome.measured.measurements
    assert found.n > 0
    assert not found.flags
    told = {"error": "failed: DeviceFault: the simulated device was told to fail"}.get(how, "did not end")
    assert json.loads(attempt.text(outcome, ARTIFACT_ROLE_ENVIRONMENT))["runtime"]["inspection"] == told
    assert "bench it" in attempt.text(outcome, ARTIFACT_ROLE_LOG)


def child_pid() -> int:
    """The process of the attempt that this process runs."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"agent.work" in (path / "cmdline").read_bytes():
                return int(path.name)
        except OSError:
            continue
    raise AssertionError("no child runs")


@pytest.mark.parametrize(("limit_s", "processes"), [(7, 1), (60, 2)])
async def test_a_measurement_that_spans_a_stop_is_void(
    attempt: Attempt, blobs: Blobs, limit_s: float, processes: int
) -> None:
    spec = bench_task(blobs, seconds=(0.1, 3, 3), limit_s=limit_s, latency_ms="20", wall="1")
    running = asyncio.create_task(attempt.run(spec))
    await attempt.heard_of("measure")
    pid = child_pid()
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(0.5)
    os.kill(pid, signal.SIGCONT)
    (found,) = (await running).measured.measurements
    paused = [flag.evidence for flag in found.flags if flag.kind == FLAG_KIND_PAUSED]
    assert found.processes == processes
    if processes == 1:
        (evidence,) = paused
        assert "stopped and continued by a signal" in evidence
    else:
        assert paused == []
