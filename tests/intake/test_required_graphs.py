"""What a variant carries: one graph, or for TensorRT all that may be chosen from when its device is known."""

import numpy as np
import pytest

from controller.core.keys import build_artifacts
from controller.intake.required_graphs import base_of
from controller.model.job import Lowering, Precision, Role
from tests.intake.conftest import Workplace
from tests.intake.graphs import JOB, graph_of, network, network_rows, save

GRAPHS = {Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ, Role.CALIBRATION}


@pytest.mark.parametrize(
    ("runtime", "placement", "base"),
    [
        ("onnxruntime", "cpu", Precision.FP32),
        ("onnxruntime", "cpu+cpu", Precision.FP32),
        ("onnxruntime", "gpu", Precision.FP16),
        ("onnxruntime", "cpu+gpu", Precision.FP16),
        ("simulated", "cpu", Precision.FP32),
        ("tensorrt", "gpu", Precision.FP16),
        ("tensorrt", "dla0", Precision.FP16),
        ("tensorrt_rtx", "gpu+gpu", Precision.FP16),
    ],
)
def test_what_lies_under_the_pairs(runtime: str, placement: str, base: Precision) -> None:
    assert base_of(runtime, placement) is base


def test_tensorrt_may_choose(place: Workplace) -> None:
    rows = network_rows()
    save(place, network(), **rows)
    prepared = place.prepare(JOB + "variants: {precision: [fp32, fp16, int8], runtime: [onnxruntime, tensorrt]}")
    carried = {
        variant.key: sorted(item.name for item in variant.artifacts if item.role in GRAPHS)
        for variant in prepared.spec.variants
    }
    assert carried == {
        "onnxruntime-fp32-b1-cpu": ["model.onnx"],
        "onnxruntime-fp16-b1-cpu": ["model-fp16.onnx"],
        "onnxruntime-int8-b1-cpu": ["model-qdq.onnx"],
        "tensorrt-fp32-b1-gpu": ["model.onnx"],
        "tensorrt-fp16-b1-gpu": ["model-fp16.onnx", "model.onnx"],
        "tensorrt-int8-b1-gpu": ["image", "model-qdq.onnx", "model.onnx", "words"],
    }
    cpu, gpu = (
        next(item.sha256 for item in variant.artifacts if item.role is Role.MODEL_QDQ)
        for variant in prepared.spec.variants
        if variant.precision is Precision.INT8
    )
    assert cpu != gpu
    lowerings = [line for line in place.progress if line.startswith("lowering to")]
    assert [line.partition(",")[0] for line in lowerings] == [
        "lowering to fp16",
        "lowering to int8 over fp32",
        "lowering to int8 over fp16",
    ]
    held = [line for line in place.progress if "against the FP32 reference" in line]
    assert list(dict.fromkeys(line.partition(" against")[0] for line in held)) == [
        "fp16",
        "int8 over fp32",
        "int8 over fp16",
    ]
    variant = prepared.spec.variants[-1]
    arrays = {
        item.name: np.load(prepared.files[item.sha256]) for item in variant.artifacts if item.role is Role.CALIBRATION
    }
    assert len(arrays["image"]) == len(arrays["words"]) == 16  # of 20 rows, a fifth is held out
    assert {row.tobytes() for row in arrays["image"]} < {row.tobytes() for row in rows["image"]}


def test_each_way_to_int8_takes_its_own_files(place: Workplace) -> None:
    save(place, network(), **network_rows())
    prepared = place.prepare(JOB + "variants: {precision: [int8], runtime: [tensorrt]}")
    (variant,) = prepared.spec.variants
    typed = build_artifacts(variant.artifacts, Precision.INT8, Lowering.TYPED_GRAPH)
    flags = build_artifacts(variant.artifacts, Precision.INT8, Lowering.BUILDER_FLAGS)
    assert [item.name for item in typed] == ["model-qdq.onnx"]
    assert sorted(item.name for item in flags) == ["image", "model.onnx", "words"]
    assert graph_of(prepared, Role.MODEL_QDQ).opset_import[0].version == 19


def test_what_is_not_needed_is_not_made(place: Workplace) -> None:
    save(place, network(), **network_rows())
    place.prepare(
        JOB + "variants: {precision: [fp32, int8], runtime: [onnxruntime, tensorrt], "
        "exclude: [{precision: int8, runtime: onnxruntime}]}"
    )
    assert [line for line in place.progress if line.startswith("lowering to")] == [
        "lowering to int8 over fp16, calibrating with 20 rows"
    ]
