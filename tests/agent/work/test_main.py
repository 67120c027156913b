"""The child's own promises: progress that never blocks, failures with their kinds, surroundings recorded."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import agent.work.main
from agent.attempt import AttemptDir
from agent.child_env import child_env
from agent.runtime.base import BuildRefused, DeviceFault
from agent.work.environment import gather
from agent.work.main import Reporter, run
from jetfleet.errors import BadInput, DiskFull, Infrastructure, JetfleetError
from jetfleet.v1.task_pb2 import (
    FAILURE_KIND_BAD_INPUT,
    FAILURE_KIND_BUILD_REFUSED,
    FAILURE_KIND_DEVICE_FAULT,
    FAILURE_KIND_INFRASTRUCTURE,
    FAILURE_KIND_OUT_OF_MEMORY,
    TaskSpec,
)
from tests.agent.builders import Blobs, bench_task, build_task


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptDir:
    folder = AttemptDir(tmp_path / "attempt")
    folder.create(TaskSpec())
    return folder


def laid_out(attempt: AttemptDir, spec: TaskSpec, blobs: Blobs) -> AttemptDir:
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        os.link(path, attempt.blobs / path.name)
    return attempt


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadInput("b"), FAILURE_KIND_BAD_INPUT),
        (BuildRefused("r"), FAILURE_KIND_BUILD_REFUSED),
        (DeviceFault("d"), FAILURE_KIND_DEVICE_FAULT),
        (Infrastructure("i"), FAILURE_KIND_INFRASTRUCTURE),
        (DiskFull("f"), FAILURE_KIND_INFRASTRUCTURE),
        (OSError(errno.ENOSPC, "full"), FAILURE_KIND_INFRASTRUCTURE),
        (FileNotFoundError(errno.ENOENT, "gone"), FAILURE_KIND_INFRASTRUCTURE),
        (MemoryError(), FAILURE_KIND_OUT_OF_MEMORY),
        (OSError(errno.ENOMEM, "no memory"), FAILURE_KIND_OUT_OF_MEMORY),
    ],
)
def test_known_errors_become_failures(
    attempt: AttemptDir, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(agent.work.main, "_dispatch", fail)
    failure = run(attempt, Reporter(None)).failure
    assert failure.kind == kind
    assert failure.message


@pytest.mark.parametrize("error", [JetfleetError("j"), OSError(errno.EIO, "broken"), ValueError("v")])
def test_what_nobody_can_explain_is_not_explained(
    attempt: AttemptDir, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(agent.work.main, "_dispatch", fail)
    with pytest.raises(type(error)):
        run(attempt, Reporter(None))


def test_a_task_without_work_is_bad_input(attempt: AttemptDir) -> None:
    assert run(attempt, Reporter(None)).failure.kind == FAILURE_KIND_BAD_INPUT


def test_an_input_that_is_not_whole_is_found(attempt: AttemptDir, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    spec = bench_task(blobs)
    blobs.path(spec.bench.subjects[0].engine.sha256).write_bytes(b"half")
    failure = run(laid_out(attempt, spec, blobs), Reporter(None)).failure
    assert failure.kind == FAILURE_KIND_INFRASTRUCTURE
    assert "not whole" in failure.message


def test_the_child_runs_by_hand_without_an_agent(attempt: AttemptDir, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    laid_out(attempt, build_task(blobs), blobs)
    subprocess.run([sys.executable, "-m", "agent.work", str(attempt.root)], check=True, timeout=60)
    outcome = attempt.read_outcome()
    assert outcome is not None
    assert outcome.HasField("built")


def test_a_child_whose_parent_is_already_gone_does_nothing(attempt: AttemptDir, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    laid_out(attempt, build_task(blobs), blobs)
    env = {**os.environ, "JETFLEET_PARENT_PID": "1"}
    done = subprocess.run([sys.executable, "-m", "agent.work", str(attempt.root)], check=False, timeout=60, env=env)
    assert done.returncode == 1
    assert attempt.read_outcome() is None


def test_progress_is_a_line_of_json() -> None:
    read, write = os.pipe()
    reporter = Reporter(write)
    reporter("build", 0.5, "halfway\nthrough")
    assert json.loads(os.read(read, 1000)) == {"phase": "build", "fraction": 0.5, "detail": "halfway\nthrough"}
    assert reporter.phase == "build"
    os.close(read)
    reporter("later", None, "")  # nobody listens any more
    reporter("last", None, "")
    assert reporter.phase == "last"
    os.close(write)


def test_progress_never_waits_for_a_slow_reader() -> None:
    read, write = os.pipe()
    reporter = Reporter(write)
    for _ in range(1000):
        reporter("build", None, "x" * 1000)
    os.close(read)
    os.close(write)


def test_the_environment_names_what_matters_and_no_secret(tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
    folder.mkdir(parents=True)
    (folder / "scaling_governor").write_text("performance\n")
    relevant = {
        "OMP_NUM_THREADS": "1",
        "JETFLEET_THREADS": "2",
        "CUDA_DEVICE_MAX_CONNECTIONS": "32",
        "CUDA_VISIBLE_DEVICES": "0",
        "NVIDIA_TF32_OVERRIDE": "0",
        "NVIDIA_VISIBLE_DEVICES": "all",
    }
    assert child_env(relevant) == relevant  # what is recorded also reaches the child
    env = {**relevant, "JETFLEET_TOKEN": "hush", "NVIDIA_API_KEY": "hush", "PATH": "/bin"}
    found = gather({"providers": "CPU"}, root=tmp_path, env=env)
    assert found["cpu"] == {f"cpu{cpu}": {"scaling_governor": "performance"}}
    assert found["env"] == relevant
    assert found["runtime"] == {"providers": "CPU"}
    assert json.loads(json.dumps(found))["jetfleet"]
