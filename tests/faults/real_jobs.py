"""Jobs for the real ONNX Runtime, whose files are as large as a test wants."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from controller.model.job import Artifact, JobSpec, Limits, Measure, Role, TensorSpec
from jetfleet.blobs import sha256_file
from testing.jobs import MEASURE, simulated_job


def heavy_job(folder: Path, *, megabytes: int, measure: Measure = MEASURE) -> tuple[JobSpec, dict[str, Path]]:
    """A matrix product on the real ONNX Runtime: the model is so large, and its engine as well."""
    spec, files = simulated_job(folder, limits=Limits(build_s=600, bench_s=600), measure=measure)
    rows = megabytes * 250_000 // 64
    weights = np.random.default_rng(0).standard_normal((rows, 64)).astype(np.float32)
    x = np.full((1, rows), 0.01, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "heavy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
        [numpy_helper.from_array(weights, "w")],
    )
    model, image, answer = folder / "heavy.onnx", folder / "x.npy", folder / "y.npy"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), model)
    np.save(image, x)
    np.save(answer, x @ weights)
    artifacts = []
    for role, label, path in (
        (Role.MODEL_FP32, "model.onnx", model),
        (Role.REFERENCE_INPUT, "x", image),
        (Role.REFERENCE_OUTPUT, "y", answer),
    ):
        digest = sha256_file(path)
        files[digest] = path
        artifacts.append(Artifact(role, label, digest, path.stat().st_size))
    (variant,) = spec.variants
    heavy = replace(
        variant,
        key="onnxruntime-fp32-b1-cpu",
        runtime="onnxruntime",
        inputs=(TensorSpec("x", "float32", (1, rows)),),
        artifacts=tuple(artifacts),
    )
    return replace(spec, variants=(heavy,)), files
