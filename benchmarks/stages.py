"""Whether the stages of an answer add up to its wall clock: real JPEG files through a pipeline around a real engine, by
the measuring loop. What no stage accounts for is the residual.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from agent.pipeline.callables import UserFunctions
from agent.pipeline.functions import before, behind
from agent.pipeline.session import FrameFile, PipelineSession
from agent.runtime.onnxruntime.cpu import OnnxSession
from agent.runtime.onnxruntime.graph import open_engine
from agent.runtime.onnxruntime.options import session_options
from agent.work.measure import MeasureLimits, measure_alone
from agent.work.summary import summarise
from benchmarks.figure import Figure, main
from benchmarks.processes import scratch
from jetfleet.v1.task_pb2 import Artifact, Pipeline, PipelineStep, StepArgument, TensorSpec

_SIDE = 224
_PARTS = ("pre", "latency", "post", "residual")


def stages(tiny: bool) -> Iterator[Figure]:
    seconds = 0.1 if tiny else 3.0
    session = _around(_engine())
    try:
        recording = measure_alone(session, MeasureLimits(0.0, seconds, seconds), lambda phase, fraction, detail: None)
    finally:
        session.close()
    found = summarise(recording, 1).metrics
    means = {name: found[f"{name}_mean_ms"].value for name in (*_PARTS, "e2e")}
    for name in ("pre", "latency", "post"):
        yield Figure(f"{name}, mean", means[name], "ms", note="640 x 480 JPEG to the five best classes")
    apart = abs(sum(means[name] for name in _PARTS) / means["e2e"] - 1) * 100
    yield Figure("stages and residual against e2e", apart, "%", at_most=1)
    residual = abs(means["residual"]) / means["e2e"] * 100
    yield Figure("residual, share of e2e", residual, "%", at_most=1)


def _engine() -> OnnxSession:
    weights = np.random.default_rng(0).standard_normal((16, 3, 3, 3)).astype(np.float32)
    last = np.random.default_rng(1).standard_normal((16, 1000)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["c"], ["g"]),
            helper.make_node("Flatten", ["g"], ["f"]),
            helper.make_node("MatMul", ["f", "l"], ["scores"]),
        ],
        "stages",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, _SIDE, _SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1000])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(last, "l")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = session_options({"threads": "1"})
    spec = TensorSpec(name="image", dtype="float32", shape=[1, 3, _SIDE, _SIDE])
    with scratch() as folder:
        onnx.save(model, folder / "model.onnx")
        return OnnxSession(open_engine(folder / "model.onnx", options), options, [spec])


def _around(session: OnnxSession) -> PipelineSession:
    pipeline = Pipeline(
        tensor="image",
        pre=[
            PipelineStep(step="decode"),
            PipelineStep(
                step="resize",
                arguments=[StepArgument(name="size", numbers=[256]), StepArgument(name="fit", text="cover")],
            ),
            PipelineStep(step="crop", arguments=[StepArgument(name="size", numbers=[_SIDE])]),
            PipelineStep(step="normalise", arguments=[StepArgument(name="scale", numbers=[1 / 255])]),
            PipelineStep(step="layout", arguments=[StepArgument(name="to", text="nchw")]),
        ],
        post=[PipelineStep(step="softmax"), PipelineStep(step="top_k")],
    )
    nobody = UserFunctions([], _no_file, env={})
    found = PipelineSession(
        session,
        [FrameFile(f"{seed}.jpg", _jpeg(seed)) for seed in range(8)],
        before(pipeline, nobody),
        behind(pipeline, nobody),
        inputs={"image": np.zeros((1, 3, _SIDE, _SIDE), np.float32)},
        tensor="image",
        batch=1,
        steps="",
    )
    found.check()
    return found


def _jpeg(seed: int) -> bytes:
    """Noise of low frequency, as dear to decode as a photograph."""
    small = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def _no_file(artifact: Artifact) -> Path:
    raise AssertionError(f"asked for {artifact.name}")


if __name__ == "__main__":
    main("stages", stages)
