"""A build is stopped between two of its steps: by an event, and in a real child by the signal that the agent sends."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from agent.daemon.runner import STOPPED, run_attempt
from agent.runtime.tensorrt.sigterm import stop_on_sigterm
from jetfleet.errors import Cancelled
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENGINE,
    ARTIFACT_ROLE_LOG,
    ARTIFACT_ROLE_MODEL_FP32,
    FAILURE_KIND_BUILD_REFUSED,
    FAILURE_KIND_INFRASTRUCTURE,
    PRECISION_FP32,
    BuildTask,
    Outcome,
    Progress,
    TaskSpec,
)
from tests.agent.builders import Blobs
from tests.agent.tensorrt.conftest import Desk
from tests.agent.tensorrt.nets import IMAGE, Net, resnet
from tests.agent.tensorrt.test_refusals import with_operator


def deep(layers: int) -> bytes:
    """A network that takes a builder as long as one likes."""
    net = Net()
    x = net.conv("x", 3, 8)
    for index in range(layers):
        x = net.node("Sigmoid" if index % 2 else "Tanh", net.conv(x, 8, 8, kernel=3 if index % 3 else 1))
    return net.model(x, [1, 3, 32, 32]).SerializeToString()


def test_a_stop_after_the_first_step_ends_the_build_early(desk: Desk) -> None:
    stop = threading.Event()

    def after_the_first_step() -> None:
        if any(fraction for _, fraction, _ in desk.told):
            stop.set()

    with pytest.raises(Cancelled, match="stopped"):
        desk.build(resnet().SerializeToString(), stop=stop, on_report=after_the_first_step)
    assert "Optimizing graph" not in desk.phases
    assert not desk.out.exists()


def test_a_build_works_after_one_that_was_stopped(desk: Desk) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        desk.build(resnet().SerializeToString(), stop=stop)
    desk.build(resnet().SerializeToString())
    assert desk.out.stat().st_size > 10_000


@pytest.fixture
def survived() -> "list[int]":
    """SIGTERM as the process had it before; the one that ends the block comes here and not to the test run."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        yield seen
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_sets_the_event_while_the_main_thread_is_elsewhere(survived: "list[int]") -> None:
    """`waited` is set by another thread once it has seen the event: the main thread runs no handler in a lock's C."""
    with stop_on_sigterm() as stop:
        waited = threading.Event()
        threading.Thread(target=lambda: (stop.wait(60), waited.set()), daemon=True).start()
        os.kill(os.getpid(), signal.SIGTERM)
        assert waited.wait(60)
        assert survived == []
    assert survived == [signal.SIGTERM]  # sent on to whoever had it before


def test_without_a_signal_nothing_changes(survived: "list[int]") -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with stop_on_sigterm() as stop:
        assert signal.getsignal(signal.SIGTERM) is not handler
    assert not stop.is_set()
    assert signal.getsignal(signal.SIGTERM) is handler
    assert survived == []


def test_who_cannot_stop_leaves_the_signal_alone(survived: "list[int]") -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with stop_on_sigterm(able=False) as stop:
        assert signal.getsignal(signal.SIGTERM) is handler
        os.kill(os.getpid(), signal.SIGTERM)
        assert not stop.is_set()
    assert survived == [signal.SIGTERM]


class Attempt:
    """A BUILD with TensorRT for RTX in a real child."""

    def __init__(self, folder: Path, model: bytes) -> None:
        self.folder, self.blobs = folder, Blobs(folder / "store")
        build = BuildTask(
            engine_key="cd" * 32,
            runtime="tensorrt_rtx",
            precision=PRECISION_FP32,
            placement="gpu",
            inputs=[IMAGE],
            artifacts=[self.blobs.put(model, ARTIFACT_ROLE_MODEL_FP32, "model.onnx")],
        )
        self.spec = TaskSpec(task_id=9, name="build it", build=build)
        self.heard: list[Progress] = []
        self.stop = asyncio.Event()
        self.stop_in = ""

    def hear(self, progress: Progress) -> None:
        self.heard.append(progress)
        if self.stop_in and self.stop_in in progress.detail:
            self.stop.set()

    async def run(self) -> Outcome:
        return await run_attempt(
            self.spec,
            self.folder / "attempt",
            self.blobs.path,
            on_progress=self.hear,
            stop=self.stop,
            env=os.environ,
            grace_s=100.0,
        )

    def log(self, outcome: Outcome) -> str:
        digest = next(item.sha256 for item in outcome.artifacts if item.role == ARTIFACT_ROLE_LOG)
        return (self.folder / "attempt" / "out" / digest).read_text()


async def test_a_child_builds_an_engine_and_tells_how_far_it_is(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, resnet().SerializeToString())
    outcome = await attempt.run()
    assert outcome.WhichOneof("end") == "built", outcome.failure.message
    assert outcome.built.engine.role == ARTIFACT_ROLE_ENGINE
    assert outcome.built.engine.size_bytes > 10_000
    assert (tmp_path / "attempt" / "out" / outcome.built.engine.sha256).is_file()
    assert outcome.built.warnings or outcome.built.HasField("peak_device_bytes")
    building = [item for item in attempt.heard if item.detail.startswith("Building engine")]
    assert [item.fraction for item in building] == sorted(item.fraction for item in building)
    assert building[-1].fraction > 0.8
    assert "Opset version" in attempt.log(outcome)  # TensorRT's own words


async def test_a_cancelled_child_ends_by_the_signal_in_the_middle_of_its_build(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, deep(400))
    attempt.stop_in = "Cloning network graph"  # the first of many phases
    outcome = await attempt.run()
    assert outcome.failure.kind == FAILURE_KIND_INFRASTRUCTURE
    assert outcome.failure.message == STOPPED
    assert outcome.failure.signal == "SIGTERM"  # within the grace: nobody had to kill it
    assert outcome.failure.phase == "build"
    assert "stopped by SIGTERM" in attempt.log(outcome)  # the builder came back first
    assert not (tmp_path / "attempt" / "engine.part").exists()


async def test_a_child_tells_which_operator_was_refused(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, with_operator("Bernoulli"))
    outcome = await attempt.run()
    assert outcome.failure.kind == FAILURE_KIND_BUILD_REFUSED
    assert "operator Bernoulli is not supported" in outcome.failure.message
