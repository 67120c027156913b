"""Image bytes to answers through a real engine, as a BENCH: ONNX Runtime, real JPEG files, the real loop."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.attempt import AttemptDir
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from agent.work.bench import run_bench
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALLABLE,
    ARTIFACT_ROLE_FRAME,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_REFERENCE_INPUT,
    TensorSpec,
)
from tests.agent.builders import Blobs, as_model, bench_task, build_task, nowhere
from tests.agent.pipeline.frames import image, pipeline, step
from tests.agent.scripted import silent

SPEC = TensorSpec(name="image", dtype="float32", shape=[2, 3, 32, 32])
PRE = (
    step("decode"),
    step("resize", size=[32, 32]),
    step("normalise", scale=1 / 255),
    step("layout", to="nchw"),
)
POST = (step("softmax"), step("top_k", k=3))


def network():
    """image[N, 3, 32, 32] -> scores[N, 5]."""
    weights = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype(np.float32)
    last = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["c"], ["g"]),
            helper.make_node("Flatten", ["g"], ["f"]),
            helper.make_node("MatMul", ["f", "l"], ["scores"]),
        ],
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(last, "l")],
    )
    return as_model(graph).SerializeToString()


@pytest.fixture
def bench(tmp_path):
    """Runs a BENCH of the network with a pipeline; returns its measurement."""
    blobs = Blobs(tmp_path / "blobs")
    build = build_task(blobs, runtime="onnxruntime", model=network()).build
    del build.inputs[:]
    build.inputs.append(SPEC)
    folder = tmp_path / "model"
    folder.mkdir()
    model = next(item for item in build.artifacts if item.role == ARTIFACT_ROLE_MODEL_FP32)
    (folder / model.name).write_bytes(blobs.path(model.sha256).read_bytes())
    OnnxRuntime().build(build, folder, tmp_path / "engine", nowhere, silent)
    frames = [blobs.put(image(40, 50, seed=at, kind="JPEG"), ARTIFACT_ROLE_FRAME, f"{at}.jpg") for at in range(3)]
    zeros = blobs.tensor(np.zeros([2, 3, 32, 32], np.float32), ARTIFACT_ROLE_REFERENCE_INPUT, "image")

    def run(made, *more, **options):
        spec = bench_task(
            blobs,
            engine=(tmp_path / "engine").read_bytes(),
            artifacts=[zeros, *frames, *more],
            runtime="onnxruntime",
            seconds=(0.0, 0.2, 1.0),
            **options,
        )
        subject = spec.bench.subjects[0]
        del subject.inputs[:]
        subject.inputs.append(SPEC)
        subject.pipeline.CopyFrom(made)
        attempt = AttemptDir(tmp_path / "attempt")
        attempt.create(spec)
        for item in [subject.engine, *subject.artifacts]:
            (attempt.blobs / item.sha256).write_bytes(blobs.path(item.sha256).read_bytes())
        notes = {}
        (measurement,) = run_bench(spec.bench, attempt, silent, notes).measured.measurements
        return measurement, notes

    run.blobs = blobs
    return run


def test_the_stages_of_an_answer_add_up(bench):
    found, notes = bench(pipeline(*PRE, post=POST), threads="1")
    mean = {name: found.metrics[f"{name}_mean_ms"].value for name in ("pre", "compute", "post", "e2e", "residual")}
    assert min(mean["pre"], mean["compute"], mean["post"]) > 0
    assert mean["pre"] + mean["compute"] + mean["post"] + mean["residual"] == pytest.approx(mean["e2e"], rel=1e-6)
    assert found.n > 20
    assert found.circumstances["pipeline"] == (
        "decode, resize 32 32, normalise 0.00392157, layout nchw -> softmax, top_k 3"
    )
    assert notes["frames"] == "3"


def test_the_answer_is_that_of_the_image(bench, caplog):
    """The log tells what the first frames are answered with: the classes that the network has for these pixels."""
    caplog.set_level("INFO", "agent.pipeline.open")
    bench(pipeline(*PRE, post=POST), threads="1")
    assert '"scores.classes": [' in caplog.text


def test_frames_that_do_not_fit_are_refused_before_anything_is_timed(bench):
    with pytest.raises(BadInput, match=r"0\.jpg becomes float32\[3, 40, 50\]"):
        bench(pipeline(step("decode"), step("normalise"), step("layout", to="nchw")))


def test_a_users_code_needs_the_owners_word(bench, monkeypatch):
    source = (
        b"import numpy as np\n\ndef pre(content):\n    return np.zeros((3, 32, 32), np.float32)\n"
        b"\ndef post(outputs):\n    return {'best': int(outputs['scores'].argmax())}\n"
    )
    file = bench.blobs.put(source, ARTIFACT_ROLE_CALLABLE, "mine.py")
    made = pipeline(step("callable", function="mine.py:pre"), post=(step("callable", function="mine.py:post"),))
    with pytest.raises(BadInput, match=r"does not run mine\.py"):
        bench(made, file)
    monkeypatch.setenv("JETFLEET_CALLABLES", file.sha256)
    found, _ = bench(made, file)
    assert found.metrics["pre_mean_ms"].value > 0
