"""Models in FP16, or quantised already: run as they are in their own precision, refused in words in any other."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from controller.model.job import Precision, Role
from tests.intake.conftest import Workplace, linear
from tests.intake.graphs import NODE, floats, half, model_of, quantised, save, value

MODEL = "model: {onnx: m.onnx}\n"


def cast_inside() -> onnx.ModelProto:
    nodes = [NODE("Cast", ["x"], ["h"], to=TensorProto.FLOAT16), NODE("Cast", ["h"], ["y"], to=TensorProto.FLOAT)]
    return model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 4])])


def half_edges(*, inside: int) -> onnx.ModelProto:
    """Float16 at its input and output, and a product in the type `inside`, whose weight is float32 in the file."""
    nodes = [
        NODE("Cast", ["x"], ["h"], to=inside),
        NODE("Cast", ["w"], ["v"], to=inside),
        NODE("MatMul", ["h", "v"], ["p"]),
        NODE("Cast", ["p"], ["y"], to=TensorProto.FLOAT16),
    ]
    edges = [value("x", ["N", 4], TensorProto.FLOAT16)], [value("y", ["N", 3], TensorProto.FLOAT16)]
    return model_of(nodes, *edges, w=floats(4, 3))


def test_halves_at_the_edges_of_a_network_in_float32_are_no_precision_of_it(place: Workplace) -> None:
    save(place, half_edges(inside=TensorProto.FLOAT))
    prepared = place.prepare(MODEL + "variants: {precision: [fp32, fp16]}")
    assert [(variant.refusal, variant.inputs[0].dtype) for variant in prepared.spec.variants] == [("", "float16")] * 2
    roles = [{item.role for item in variant.artifacts} for variant in prepared.spec.variants]
    assert Role.MODEL_FP32 in roles[0]
    assert Role.MODEL_FP16 in roles[1]


def test_products_that_a_cast_makes_half_are_half(place: Workplace) -> None:
    save(place, half_edges(inside=TensorProto.FLOAT16))
    error = place.refused(MODEL + "variants: {precision: [fp32]}")
    assert error.message == "the model cannot run in fp32: it is in FP16 already, at tensor 'x'"


def unsigned() -> onnx.ModelProto:
    model = quantised()
    (zero,) = [item for item in model.graph.initializer if item.name == "z"]
    zero.CopyFrom(numpy_helper.from_array(np.uint8(3), "z"))
    return model


def dynamic() -> onnx.ModelProto:
    """What ONNX Runtime's dynamic quantisation makes."""
    nodes = [
        NODE("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="here"),
        NODE("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    return model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 4])])


def packed(name: str) -> onnx.ModelProto:
    """What ONNX Runtime's tools for language models and for transformers make: operators of its own domain."""
    random = np.random.default_rng(0)
    if name == "MatMulNBits":
        node = NODE(name, ["x", "w", "s"], ["y"], domain="com.microsoft", K=32, N=3, bits=4, block_size=32)
        weights = {"w": random.integers(0, 255, (3, 1, 16), dtype=np.uint8), "s": floats(3)}
    elif name == "MatMulIntegerToFloat":
        cast = NODE("Cast", ["x"], ["q"], to=TensorProto.UINT8)
        node = NODE(name, ["q", "w", "s", "s"], ["y"], domain="com.microsoft")
        weights = {"w": random.integers(0, 255, (32, 3), dtype=np.uint8), "s": np.float32([0.1])}
        return with_microsoft(model_of([cast, node], [value("x", ["N", 32])], [value("y", ["N", 3])], **weights))
    else:
        node = NODE(name, ["x", "w", "s"], ["y"], domain="com.microsoft")
        weights = {"w": random.integers(0, 255, (32, 3), dtype=np.uint8), "s": np.float32([0.1])}
    return with_microsoft(model_of([node], [value("x", ["N", 32])], [value("y", ["N", 3])], **weights))


def with_microsoft(model: onnx.ModelProto) -> onnx.ModelProto:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


@pytest.mark.parametrize("name", ["MatMulNBits", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"])
def test_operators_of_onnx_runtimes_own_domain_are_quantised_too(place: Workplace, name: str) -> None:
    place.model(packed(name))
    assert f"is quantised already, at operator {name} 'y'" in place.refused(MODEL).message
    (variant,) = place.prepare(f"{MODEL}variants: {{precision: [int8]}}").spec.variants
    assert Role.MODEL_QDQ in {item.role for item in variant.artifacts}
    typed = place.refused(f"{MODEL}variants: {{precision: [int8], runtime: [tensorrt]}}")
    assert "TensorRT does not take the model's quantisation" in typed.message


@pytest.mark.parametrize(
    ("model", "variants", "role"),
    [
        (quantised(), "precision: [int8]", Role.MODEL_QDQ),
        (quantised(), "precision: [int8], runtime: [onnxruntime, tensorrt]", Role.MODEL_QDQ),
        (unsigned(), "precision: [int8]", Role.MODEL_QDQ),
        (dynamic(), "precision: [int8]", Role.MODEL_QDQ),
        (half(linear()), "precision: [fp16]", Role.MODEL_FP16),
        (cast_inside(), "precision: [fp16], runtime: [tensorrt]", Role.MODEL_FP16),
    ],
)
def test_its_own_precision_runs_it_as_it_is(
    place: Workplace, model: onnx.ModelProto, variants: str, role: Role
) -> None:
    path = place.model(model)
    prepared = place.prepare(f"{MODEL}variants: {{{variants}}}")
    for variant in prepared.spec.variants:
        (graph,) = [
            item for item in variant.artifacts if item.role in (Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ)
        ]
        assert graph.role is role
        assert prepared.files[graph.sha256].read_bytes() == path.read_bytes()
    session = onnxruntime.InferenceSession(path.read_bytes())
    (wanted,) = session.run(None, place.arrays(prepared, "reference-input", 1))
    np.testing.assert_allclose(place.arrays(prepared, "reference-output", 1)["y"], wanted, rtol=1e-3, atol=1e-3)


def test_its_weights_may_lie_beside_it(place: Workplace) -> None:
    model = model_of(
        [
            NODE("QuantizeLinear", ["x", "s", "z"], ["q"]),
            NODE("DequantizeLinear", ["q", "s", "z"], ["d"]),
            NODE("MatMul", ["d", "w"], ["y"]),
        ],
        [value("x", ["N", 4])],
        [value("y", ["N", 300])],
        s=np.float32(0.1),
        z=np.int8(0),
        w=floats(4, 300),
    )
    place.model(model, save_as_external_data=True, location="model-qdq.onnx.data", size_threshold=100)
    (variant,) = place.prepare(MODEL + "variants: {precision: [int8]}").spec.variants
    assert [item.name for item in variant.artifacts if item.role is Role.MODEL_DATA] == ["data-0.bin"]


@pytest.mark.parametrize(
    ("model", "variants", "where", "message", "hint"),
    [
        (
            quantised(),
            "precision: [int8, fp16]",
            "job.yaml:4:30",
            "the model cannot run in fp16: it is quantised already, at operator QuantizeLinear 'here'",
            "variants: {precision: [int8]} runs it as it is",
        ),
        (
            quantised(),
            "precision: [int8, fp32]",
            "job.yaml:4:30",
            "the model cannot run in fp32: it is quantised already",
            "variants: {precision: [int8]}",
        ),
        (
            quantised(),
            "batch: [1]",
            "job.yaml:4:",
            "the model cannot run in fp32: it is quantised already",
            "variants: {precision: [int8]}",
        ),
        (
            half(linear()),
            "precision: [fp32]",
            "job.yaml:4:24",
            "the model cannot run in fp32: it is in FP16 already, at tensor 'w'",
            "variants: {precision: [fp16]} runs it as it is",
        ),
        (
            half(linear()),
            "precision: [int8]",
            "job.yaml:4:24",
            "the model cannot run in int8: it is in FP16 already, at tensor 'w'",
            "variants: {precision: [fp16]} runs it as it is",
        ),
        (
            unsigned(),
            "precision: [int8], runtime: [onnxruntime, tensorrt]",
            "job.yaml:4:24",
            "TensorRT does not take the model's quantisation: QuantizeLinear 'here' has a zero point that is not a "
            "signed 0 (it is UINT8)",
            "quantise again with signed 8-bit types and symmetric ranges",
        ),
        (
            dynamic(),
            "precision: [int8], runtime: [tensorrt]",
            "job.yaml:4:24",
            "TensorRT does not take the model's quantisation: DynamicQuantizeLinear 'here' is an operator that",
            "quantise to the QDQ format",
        ),
    ],
)
def test_any_other_precision_is_refused(
    place: Workplace, model: onnx.ModelProto, variants: str, where: str, message: str, hint: str
) -> None:
    save(place, model)
    error = place.refused(f"{MODEL}variants: {{{variants}}}")
    assert error.message.startswith(message)
    assert error.where.startswith(where)
    assert error.expected
    assert hint in error.hint


def test_bf16_is_none_of_the_precisions(place: Workplace) -> None:
    nodes = [NODE("Cast", ["x"], ["h"], to=TensorProto.BFLOAT16), NODE("Cast", ["h"], ["y"], to=TensorProto.FLOAT)]
    save(place, model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 4])]))
    error = place.refused(MODEL + "variants: {precision: [fp16]}")
    assert (error.message, error.expected) == ("the model's tensor 'h' is BF16", "a model in float32 or float16")


def test_precisions_that_variants_have(place: Workplace) -> None:
    save(place, quantised())
    (variant,) = place.prepare(
        MODEL + "variants: {precision: [fp32, int8], exclude: [{precision: fp32}]}"
    ).spec.variants
    assert variant.precision is Precision.INT8
