"""Where an INT8 graph has pairs, for a GPU and for a DLA, and that it answers like FP32 with either."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.float16 import infer_types
from controller.intake.lowering.qdq import Quantiser, to_qdq
from controller.intake.lowering.qdq_placement import remark
from controller.model.job import Precision, Role
from tests.intake.conftest import Workplace
from tests.intake.graphs import JOB, NODE, floats, graph_of, hold_to_qdq_rules, model_of, save, similarity, value
from tests.intake.networks import IMAGE, rows_for

PADS = {"pads": [1, 1, 1, 1]}


def projected(*, swapped: bool = False) -> onnx.ModelProto:
    """A ResNet with an identity shortcut, and one that is projected by a 1x1 convolution."""
    nodes = [
        NODE("Conv", ["x", "w1"], ["c1"], **PADS),
        NODE("Relu", ["c1"], ["r1"]),
        NODE("Conv", ["r1", "w2"], ["c2"], **PADS),
        NODE("Add", ["c2", "r1"], ["identity"]),
        NODE("Relu", ["identity"], ["r2"]),
        NODE("Conv", ["r2", "w3"], ["c3"], **PADS),
        NODE("Relu", ["c3"], ["r3"]),
        NODE("Conv", ["r3", "w4"], ["c4"], **PADS),
        NODE("Conv", ["r2", "w5"], ["shortcut"]),
        NODE("Add", ["shortcut", "c4"] if swapped else ["c4", "shortcut"], ["projection"]),
        NODE("Relu", ["projection"], ["r4"]),
        NODE("GlobalAveragePool", ["r4"], ["p"]),
        NODE("Conv", ["p", "w6"], ["y"]),
    ]
    shapes = {"w1": (8, 3), "w2": (8, 8), "w3": (8, 8), "w4": (16, 8)}
    weights = {name: floats(*shape, 3, 3) / np.float32(4) for name, shape in shapes.items()}
    ones = {"w5": floats(16, 8, 1, 1), "w6": floats(5, 16, 1, 1)}
    return model_of(nodes, [IMAGE], [value("y", ["N", 5, 1, 1])], opset=18, **weights, **ones)


def made_for(model: onnx.ModelProto, rows: dict[str, Any], *, dla: bool) -> onnx.ModelProto:
    held = Calibration(rows, {"x": 0}, len(rows["x"]), len(rows["x"]))
    return infer_types(to_qdq(model, held, Precision.FP16, dla=dla), strict=True)


def floating(model: onnx.ModelProto) -> set[str]:
    """Tensors that a layer gives another with no pair between them."""
    pairs = ("QuantizeLinear", "DequantizeLinear", "Cast")
    layers = [node for node in model.graph.node if node.op_type not in pairs]
    made = {name for node in layers for name in node.output}
    return {name for node in layers for name in node.input if name in made}


@pytest.mark.parametrize("swapped", [False, True])
def test_a_gpus_projection_has_a_pair_before_the_sum(swapped: bool) -> None:
    model = projected(swapped=swapped)
    made = made_for(model, rows_for(model, 8), dla=False)
    hold_to_qdq_rules(made)
    (total,) = (node for node in made.graph.node if node.op_type == "Add" and "projection" in node.output[0])
    maker = {node.output[0]: node for node in made.graph.node}
    kinds = [maker[name].op_type for name in total.input]
    assert kinds == (["DequantizeLinear", "Conv"] if swapped else ["Conv", "DequantizeLinear"])
    # The shortcut, not the product that the sum is fused with.
    assert "shortcut" in total.input[0 if swapped else 1]
    # What a kernel does behind a product stays within it.
    assert {"c1", "c2", "c3", "c4"} <= floating(made)


def test_a_dla_has_a_pair_on_every_tensor_between_its_layers() -> None:
    model = projected()
    made = made_for(model, rows_for(model, 8), dla=True)
    hold_to_qdq_rules(made)
    assert floating(made) == set()
    maker = {node.output[0]: node.op_type for node in made.graph.node}
    assert maker["y"] != "DequantizeLinear"  # what leaves the graph stays float
    assert [item.type.tensor_type.elem_type for item in made.graph.output] == [onnx.TensorProto.FLOAT]


@pytest.mark.parametrize("dla", [False, True])
def test_it_answers_like_fp32(dla: bool) -> None:
    model = projected()
    rows = rows_for(model, 32)
    got, wanted = (
        onnxruntime.InferenceSession(item.SerializeToString()).run(None, rows)[0]
        for item in (made_for(model, rows, dla=dla), model)
    )
    assert similarity(got, wanted) > 0.99


@pytest.mark.parametrize("dla", [False, True])
def test_a_real_builder_runs_every_product_in_int8(dla: bool) -> None:
    pytest.importorskip("tensorrt_rtx")
    from tests.intake.rtx import build

    model = projected()
    rows = rows_for(model, 8)
    engine = build(made_for(model, rows, dla=dla).SerializeToString(), {"x": rows["x"].shape})
    assert (engine.problems, engine.products()) == ([], ["Int8"] * 6)


def test_what_has_no_scale_for_a_dla_is_told() -> None:
    model = projected()
    rows = rows_for(model, 8)
    assert remark(made_for(model, rows, dla=True).graph) == ""
    told = remark(made_for(model, rows, dla=False).graph)
    assert told.startswith("what makes or reads ")
    assert "these tensors have no scale" in told
    assert " more runs in fp16 on a DLA" in told


def test_a_product_that_is_left_in_float_reads_floats_on_a_dla_too(tmp_path: Path) -> None:
    model = projected()
    rows = rows_for(model, 8)
    quantiser = Quantiser(model, Calibration(rows, {"x": 0}, 8, 8), Precision.FP16, tmp_path, dla=True)
    name = next(node.name for node in quantiser.graph.graph.node if node.output[0] == "shortcut")
    made = quantiser.quantise([name])
    hold_to_qdq_rules(made)
    (left,) = (node for node in made.graph.node if node.name == name)
    maker = {node.output[0]: node.op_type for node in made.graph.node}
    assert maker[left.input[0]] == "Relu"
    assert remark(made.graph) != ""


def test_a_tensor_that_is_always_zero_has_a_scale() -> None:
    model = projected()
    rows = {"x": np.zeros((4, 3, 16, 16), np.float32)}
    made = made_for(model, rows, dla=True)
    hold_to_qdq_rules(made)
    (got,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, rows)
    assert not got.any()


def test_gpu_and_dla_get_a_graph_each(place: Workplace) -> None:
    model = projected()
    save(place, model, **rows_for(model, 20))
    job = "variants: {precision: [int8], runtime: [tensorrt], placement: [gpu, dla0, gpu+dla0]}"
    prepared = place.prepare(JOB + job)
    graphs = {
        variant.placement: sorted(item.name for item in variant.artifacts if item.name.startswith("model-qdq"))
        for variant in prepared.spec.variants
    }
    assert graphs == {
        "gpu": ["model-qdq.onnx"],
        "dla0": ["model-qdq-dla.onnx"],
        "gpu+dla0": ["model-qdq-dla.onnx", "model-qdq.onnx"],
    }
    assert floating(graph_of(prepared, Role.MODEL_QDQ_DLA)) == set()
    assert floating(graph_of(prepared, Role.MODEL_QDQ)) != set()
    lowerings = [line.partition(",")[0] for line in place.progress if line.startswith("lowering to")]
    assert lowerings == ["lowering to int8 over fp16", "lowering to int8 over fp16 for a DLA"]
