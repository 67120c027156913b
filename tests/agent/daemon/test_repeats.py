"""A measurement is of several processes, each voided where it was disturbed, kept where only its epilogue failed."""

import asyncio
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENVIRONMENT,
    ARTIFACT_ROLE_LOG,
    FLAG_KIND_NOT_REPEATABLE,
    FLAG_KIND_PAUSED,
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


async def test_a_measurement_is_of_several_fresh_processes(attempt: Attempt, blobs: Blobs) -> None:
    spec = bench_task(blobs, artifacts=blobs.references({}, {"y": OUTPUT}), runs=4, run_spread="0.02")
    outcome = await attempt.run(spec)
    (found,) = outcome.measured.measurements
    assert [run.index for run in found.runs] == [0, 1, 2, 3]
    medians = [run.metrics["p50_ms"] for run in found.runs]
    assert len(set(medians)) == 4
    p50 = found.metrics["p50_ms"]
    assert p50.value == pytest.approx(np.median(medians))
    assert p50.low < min(medians) < max(medians) < p50.high
    assert found.n == sum(run.n for run in found.runs) == sum(each.n for each in found.rounds)
    assert {each.run for each in found.rounds} == {0, 1, 2, 3}
    assert found.processes == 4
    for run in found.runs:
        assert len(np.load(attempt.folder / "out" / run.samples.sha256, allow_pickle=False)) == run.n
        assert run.load.ToNanoseconds() > 0
    names = {"log.txt", "log-2.txt", "log-3.txt", "log-4.txt"}
    assert {item.name for item in outcome.artifacts if item.role == ARTIFACT_ROLE_LOG} == names


async def test_one_process_has_no_interval(attempt: Attempt, blobs: Blobs) -> None:
    (found,) = (await attempt.run(bench_task(blobs, runs=1))).measured.measurements
    p50 = found.metrics["p50_ms"]
    assert p50.HasField("value")
    assert not p50.HasField("low")
    assert "within it, unknown for the next" in p50.reason
    assert found.runs[0].within_low_ms <= p50.value <= found.runs[0].within_high_ms


async def test_processes_that_differ_are_a_flag(attempt: Attempt, blobs: Blobs) -> None:
    (found,) = (await attempt.run(bench_task(blobs, runs=3, run_spread="0.3"))).measured.measurements
    assert FLAG_KIND_NOT_REPEATABLE in [flag.kind for flag in found.flags]


async def test_no_more_processes_than_the_limit_leaves_room_for(attempt: Attempt, blobs: Blobs) -> None:
    spec = bench_task(blobs, seconds=(0, 1.0, 1.0), limit_s=6, latency_ms="20", wall="1", runs=20)
    (found,) = (await attempt.run(spec)).measured.measurements
    assert 1 <= len(found.runs) < 6


@pytest.mark.parametrize("how", ["crash", "hang", "error"])
async def test_a_measurement_outlives_the_look_into_its_engine(attempt: Attempt, blobs: Blobs, how: str) -> None:
    artifacts = blobs.references({}, {"y": OUTPUT})
    spec = bench_task(blobs, artifacts=artifacts, limit_s=15, runs=1, fail=how, fail_at="inspect")
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
async def test_a_run_that_spans_a_stop_is_void(attempt: Attempt, blobs: Blobs, limit_s: float, processes: int) -> None:
    spec = bench_task(blobs, seconds=(0.1, 3, 3), limit_s=limit_s, latency_ms="20", wall="1", runs=1)
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
        assert not found.runs[0].void_reason
    else:
        assert paused == []
        assert "PAUSED: " in found.runs[0].void_reason
        assert found.n == found.runs[1].n
