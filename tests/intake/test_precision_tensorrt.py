"""Every graph made here, put through a strongly typed builder for real: it parses, builds, and computes as asked."""

import copy
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.float16 import infer_types, to_float16
from controller.intake.lowering.qdq import to_qdq
from controller.model.job import Precision
from tests.intake.graphs import NODE, floats, hold_to_qdq_rules, model_of, similarity, value
from tests.intake.networks import NETWORKS, QUANTISED, rows_for
from tests.intake.rtx import build
from tests.intake.test_qdq import BROKEN

FORMS = ("fp32", "fp16", "int8 over fp32", "int8 over fp16")
BATCH = 2
CHOSEN = {"box", "class"}  # of the highest scores, which may be others in another precision


def in_form(model: onnx.ModelProto, form: str) -> onnx.ModelProto:
    fresh = copy.deepcopy(model)
    if form.startswith("int8"):
        rows = rows_for(model, 16)
        base = Precision.FP16 if form.endswith("fp16") else Precision.FP32
        fresh = to_qdq(fresh, Calibration(rows, dict.fromkeys(rows, 0), 16, 8), base)
    elif form == "fp16":
        fresh = to_float16(fresh).model
    return infer_types(fresh, strict=True)


def answers(model: onnx.ModelProto, rows: dict[str, Any]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, rows)
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_typed_builder_takes_it(name: str, form: str) -> None:
    model = NETWORKS[name]()
    made = in_form(model, form)
    rows = rows_for(model, BATCH)
    products, in_int8 = QUANTISED[name]
    if form.startswith("int8"):
        assert hold_to_qdq_rules(made) >= 2 * products
    names = [item.name for item in model.graph.output]
    for output, got, want in zip(names, answers(made, rows), answers(model, rows), strict=True):
        if output not in CHOSEN:
            assert similarity(got, want) > (0.95 if form.startswith("int8") else 0.999)
    engine = build(made.SerializeToString(), {key: array.shape for key, array in rows.items()})
    assert engine.problems == []
    kinds = engine.products()
    if form.startswith("int8"):
        assert kinds.count("Int8") == in_int8, engine.layers
    else:
        assert set(kinds) == {"Half" if form == "fp16" else "Float"}, engine.layers


def test_over_fp16_no_kernel_stands_between_a_convolution_and_the_next() -> None:
    """Bias, activation, and the next layer's quantisation are one kernel; with the outputs quantised they are not."""
    shapes = {"x": (BATCH, 3, 16, 16)}
    layers = build(in_form(NETWORKS["residual"](), "int8 over fp16").SerializeToString(), shapes).layers
    rounds = [line.partition(",")[0].count("Roun") for line in layers if "LayerType: kgen" in line]
    assert max(rounds) == 1
    layers = build(in_form(NETWORKS["residual"](), "int8 over fp32").SerializeToString(), shapes).layers
    rounds = [line.partition(",")[0].count("Roun") for line in layers if "LayerType: kgen" in line]
    assert max(rounds) > 1


def test_a_weight_that_stays_in_float32_builds() -> None:
    large = floats(8, 6) * np.float32(1e6)
    model = model_of([NODE("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 8])], [value("y", ["N", 6])], w=large)
    made = in_form(model, "int8 over fp16")
    kinds = {item.name: item.data_type for item in made.graph.initializer}
    assert (kinds["w"], kinds["x_scale"]) == (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    engine = build(made.SerializeToString(), {"x": (BATCH, 8)})
    assert (engine.problems, engine.products()) == ([], ["Int8"])


# The rest it takes and makes something else of: unsigned zero points become signed, an infinite scale makes zeros.
REFUSED = {
    "has a zero point that is not a signed 0 (it is INT8)",
    "has a zero point that is not constant",
    "has 1 scales and 2 zero points",
    "has a scale that is not positive",
    "has a scale that is not constant",
    "is an operator that TensorRT does not",
    "has 3 scales for axis 0 of [4, 3]",
}


@pytest.mark.parametrize(("model", "change", "problem"), [item[:3] for item in BROKEN if item[2] in REFUSED])
def test_the_importer_refuses_what_the_rules_refuse(model: onnx.ModelProto, change: Any, problem: str) -> None:
    broken = copy.deepcopy(model)
    change(broken)
    engine = build(broken.SerializeToString(), {"x": (BATCH, 4)})
    assert engine.problems
    assert " here: " in engine.problems[0]
