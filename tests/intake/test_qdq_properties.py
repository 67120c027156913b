"""Whatever a product looks like, its INT8 graph keeps the rules, over FP32 and over FP16, and answers like FP32."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.float16 import infer_types
from controller.intake.lowering.qdq import to_qdq
from controller.model.job import Precision
from tests.intake.graphs import NODE, hold_to_qdq_rules, model_of, similarity, value

ROWS = 8


def product(kind: str, ins: int, outs: int, weight: Any) -> onnx.ModelProto:
    """One product of x with a weight, its output channels where that operator has them."""
    shapes = {
        "Conv": (outs, ins, 3, 3),
        "ConvTranspose": (ins, outs, 2, 2),
        "Gemm": (outs, ins),
        "MatMul": (ins, outs),
    }
    named = {"Gemm": {"transB": 1}}.get(kind, {})
    image = kind.startswith("Conv")
    return model_of(
        [NODE(kind, ["x", "w"], ["y"], **named)],
        [value("x", ["N", ins, 4, 4] if image else ["N", ins])],
        [value("y", ["N", outs, "H", "W"] if image else ["N", outs])],
        w=weight(shapes[kind]),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    kind=st.sampled_from(["Conv", "ConvTranspose", "Gemm", "MatMul"]),
    ins=st.integers(1, 5),
    outs=st.integers(1, 5),
    exponent=st.integers(-7, 3),
    dead=st.booleans(),
    base=st.sampled_from([Precision.FP32, Precision.FP16]),
)
def test_every_int8_graph_keeps_the_rules(
    kind: str, ins: int, outs: int, exponent: int, dead: bool, base: Precision
) -> None:
    numbers = np.random.default_rng(abs(exponent) * 100 + ins * 10 + outs)

    def weight(shape: tuple[int, ...]) -> Any:
        made = numbers.standard_normal(shape) * 10.0**exponent
        if dead:
            made[0] = 0  # a whole channel that training switched off
        return made.astype(np.float32)

    model = product(kind, ins, outs, weight)
    image = kind.startswith("Conv")
    rows = {"x": numbers.standard_normal((ROWS, ins, 4, 4) if image else (ROWS, ins)).astype(np.float32)}
    wanted = answer(model, rows)
    made = infer_types(to_qdq(model, Calibration(rows, {"x": 0}, ROWS, ROWS), base), strict=True)
    assert hold_to_qdq_rules(made) == (4 if base is Precision.FP16 else 6)
    got = answer(made, rows)
    assert np.isfinite(got).all()
    # Below that, FP16 itself has too few digits for the products, quantised or not.
    if base is Precision.FP32 or exponent >= -3:
        assert similarity(got, wanted) > 0.99


def answer(model: onnx.ModelProto, rows: dict[str, Any]) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, rows)[0]
