"""A pipeline around a session: its stages add up to what the host's clock saw, on clocks of tests and on real ones."""

import numpy as np
import pytest

from agent.pipeline.session import FrameFile, PipelineSession
from agent.runtime.gpu.options import GpuOptions
from agent.runtime.gpu.session import GpuSession
from agent.work.measure import MeasureLimits, measure_alone
from agent.work.summary import summarise
from jetfleet.errors import BadInput
from tests.agent.gpu.fakes import DoublingEngine, FakeCuda
from tests.agent.scripted import Scripted, WithEvents, silent

LIMITS = MeasureLimits(0.0, 0.1, 0.5)


def files(*contents):
    return [FrameFile(f"{index}.jpg", content) for index, content in enumerate(contents)]


class Slow:
    """Steps that take their time by the session's clock."""

    def __init__(self, session, ms):
        self.session, self.ms, self.seen = session, ms, []

    def __call__(self, value):
        self.session.now_ns += int(self.ms * 1e6)
        self.seen.append(value)
        return np.full((3, 2, 2), len(value), np.float32)


FRAMES = files(b"a", b"bb", b"ccc")


def around(session, *, batch=2, behind=True):
    before, after = Slow(session, 0.25), Slow(session, 0.125)
    inputs = {"image": np.zeros((batch, 3, 2, 2), np.float32)}
    found = PipelineSession(
        session,
        FRAMES,
        before,
        after if behind else None,
        inputs=inputs,
        tensor="image",
        batch=batch,
        steps="decode",
    )
    return found, before, after


@pytest.mark.parametrize("kind", [Scripted, WithEvents])
def test_pre_latency_post_and_residual_are_the_wall_clock(kind):
    found, _, _ = around(kind(lambda now: 2.0))
    seen = measure_alone(found, LIMITS, silent)
    metrics = summarise(seen, 2).metrics
    parts = [metrics[f"{name}_mean_ms"].value for name in ("pre", "latency", "post")]
    assert parts == pytest.approx([0.5, 2.0 if kind is Scripted else 1.25, 0.125])
    assert metrics["e2e_mean_ms"].value == pytest.approx(2.625)
    assert metrics["residual_mean_ms"].value == pytest.approx(2.625 - sum(parts), abs=1e-9)
    assert metrics["p50_ms"].value == pytest.approx(parts[1])


def test_without_steps_behind_the_engine_there_is_no_such_stage():
    found, _, _ = around(Scripted(lambda now: 2.0), behind=False)
    metrics = summarise(measure_alone(found, LIMITS, silent), 2).metrics
    assert "post_mean_ms" not in metrics
    assert metrics["e2e_mean_ms"].value == pytest.approx(2.5)


def test_frames_are_taken_in_turn():
    found, before, _ = around(Scripted(lambda now: 1.0))
    found.prepare(2)
    found.infer()
    found.infer()
    assert before.seen == [b"a", b"bb", b"ccc", b"a"]


def test_a_frame_that_does_not_become_the_input_is_named():
    session = Scripted(lambda now: 1.0)
    found = PipelineSession(
        session,
        files(b"a", b"bb"),
        lambda content: np.zeros((3, 2, len(content)), np.float32),
        None,
        inputs={"image": np.zeros((1, 3, 2, 1), np.float32)},
        tensor="image",
        batch=1,
        steps="decode",
    )
    with pytest.raises(BadInput, match=r"1\.jpg becomes float32\[3, 2, 2\]") as refused:
        found.check()
    assert refused.value.expected == "float32[3, 2, 1]"


def test_a_frame_that_cannot_be_decoded_is_named():
    def decode(content):
        if content == b"bb":
            raise BadInput("cannot be decoded: image file is truncated", expected="whole JPEG or PNG files")
        return np.zeros((3, 2, 2), np.float32)

    session = Scripted(lambda now: 1.0)
    inputs = {"image": np.zeros((1, 3, 2, 2), np.float32)}
    found = PipelineSession(
        session, files(b"a", b"bb"), decode, None, inputs=inputs, tensor="image", batch=1, steps="decode"
    )
    with pytest.raises(BadInput, match=r"^1\.jpg: cannot be decoded"):
        found.check()


def test_an_input_without_a_batch_dimension_is_one_frame():
    session = Scripted(lambda now: 1.0)
    found = PipelineSession(
        session,
        files(b"abc"),
        lambda content: np.full((1, 8, 8), len(content), np.float32),
        lambda outputs: {"seen": 1},
        inputs={"image": np.zeros((1, 8, 8), np.float32)},
        tensor="image",
        batch=1,
        steps="decode",
    )
    assert found.check() == {"seen": 1}


@pytest.mark.parametrize("coherent", [False, True])
def test_around_a_gpu_the_device_keeps_its_own_clock_and_the_sum_is_the_wall_clock(coherent):
    """The same interface: what the engine reads is copied anew for each inference, and its answer read back."""
    cuda = FakeCuda(coherent=coherent)
    stream = cuda.stream()
    session = GpuSession(DoublingEngine(cuda, stream, takes_ms=1.5), cuda, GpuOptions(), stream=stream)
    answers = []
    found = PipelineSession(
        session,
        files(b"a", b"bb"),
        lambda content: np.full(3, len(content), np.float32),
        lambda outputs: answers.append(outputs["y"].tolist()),
        inputs={"x": np.zeros((2, 3), np.float32)},
        tensor="x",
        batch=2,
        steps="decode",
    )
    found.check()
    assert answers[-1] == [[2.0] * 3, [4.0] * 3]
    metrics = summarise(measure_alone(found, MeasureLimits(0.0, 0.01, 0.05), silent), 2).metrics
    mean = {name: metrics[f"{name}_mean_ms"].value for name in ("pre", "h2d", "compute", "d2h", "post", "residual")}
    assert sum(mean.values()) == pytest.approx(metrics["e2e_mean_ms"].value)
    assert mean["compute"] == 1.5
    found.close()
