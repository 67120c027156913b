"""What TensorRT refuses, in words that say what, where and what to do: real parsers and builders."""

from collections.abc import Callable

import onnx
import pytest
from onnx import helper

from agent.runtime.base import BuildRefused
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_DATA,
    LOWERING_BUILDER_FLAGS,
    PRECISION_FP16,
    PRECISION_INT8,
    PRECISION_UNSPECIFIED,
    ShapeRange,
    TensorSpec,
)
from tests.agent.tensorrt.conftest import Desk
from tests.agent.tensorrt.nets import IMAGE, RANGED, Net, dynamic, resnet


def with_operator(op: str, *, opset: int = 17, domain: str = "") -> bytes:
    net = Net()
    relu = net.node("Relu", "x")
    model = net.model(net.node(op, relu, domain=domain), [1, 3, 32, 32], opset=opset)
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model.SerializeToString()


def test_an_unsupported_operator_is_named_with_its_node(desk: Desk) -> None:
    with pytest.raises(BuildRefused) as refused:
        desk.build(with_operator("Bernoulli"))
    assert refused.value.where == "model.onnx"
    assert "node 1 'Bernoulli_1' (Bernoulli): operator Bernoulli is not supported" in refused.value.message


def test_an_operator_of_a_foreign_domain_is_named_too(desk: Desk) -> None:
    with pytest.raises(BuildRefused, match=r"node 1 'Whirl_1' \(Whirl\): operator Whirl is not supported"):
        desk.build(with_operator("Whirl", domain="com.acme"))


def test_an_opset_that_nobody_knows_is_too_new(desk: Desk) -> None:
    with pytest.raises(BadInput, match="opset 99 is too new") as refused:
        desk.build(with_operator("Abs", opset=99))
    assert refused.value.expected == "opset 24 or older"
    assert refused.value.hint == "export the model with opset 24"


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "the file is empty"),
    "text": (lambda: b"this is no protobuf" * 20, "it is not a valid ONNX file"),
    "cut off": (lambda: resnet().SerializeToString()[:-100], "it ends in the middle"),
    "no graph": (lambda: onnx.ModelProto(ir_version=9).SerializeToString(), "it holds no graph"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_bad_input(kind: str, desk: Desk) -> None:
    make, words = BROKEN[kind]
    with pytest.raises(BadInput, match=words) as refused:
        desk.build(make())
    assert refused.value.message.startswith("the model cannot be read")
    assert refused.value.where == "model.onnx"


def test_what_looks_like_onnx_and_is_not_is_bad_input(desk: Desk) -> None:
    """Fields that a file of another kind may well have: TensorRT's parser says that it is none."""
    with pytest.raises(BadInput, match="cannot be read"):
        desk.build(b"\x3a\x05\xff\xff\xff\xff\xff")


def test_missing_external_weights_are_bad_input(desk: Desk) -> None:
    path = desk.folder / "big.onnx"
    onnx.save_model(resnet(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(BadInput, match=r"there is no file 'weights\.bin' beside it"):
        desk.build(path.read_bytes())


def test_a_model_that_was_not_brought_is_bad_input(desk: Desk) -> None:
    with pytest.raises(BadInput, match="fp32 engine is made from the fp32 graph"):
        desk.build(b"", role=ARTIFACT_ROLE_MODEL_DATA)


def spec(shape: list[int], *, name: str = "x", dtype: str = "float32", **range_: list[int]) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape, range=ShapeRange(**range_) if range_ else None)


IMPOSSIBLE = {
    "other name": (spec([2, 3, 8, 8], name="y"), r"gives inputs \['y'\]", "['x']"),
    "other type": (spec([2, 3, 8, 8], dtype="float16"), "given as float16", "float32"),
    "other rank": (spec([2, 3, 8]), r"cannot have the shape \[2, 3, 8\]", "[any, 3, any, any]"),
    "fixed dimension": (spec([2, 4, 8, 8]), r"cannot have the shape \[2, 4, 8, 8\]", "[any, 3, any, any]"),
    "range of a fixed one": (
        spec([2, 3, 8, 8], min=[1, 1, 8, 8], opt=[2, 3, 8, 8], max=[4, 3, 8, 8]),
        r"cannot have the shape \[1, 1, 8, 8\] \(min\)",
        "[any, 3, any, any]",
    ),
    "upside down": (
        spec([2, 3, 8, 8], min=[3, 3, 8, 8], opt=[2, 3, 8, 8], max=[4, 3, 8, 8]),
        r"range of min \[3, 3, 8, 8\], opt \[2, 3, 8, 8\]",
        "min <= opt <= max in every dimension",
    ),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_an_input_that_the_graph_cannot_have_is_bad_input(kind: str, desk: Desk) -> None:
    given, words, expected = IMPOSSIBLE[kind]
    with pytest.raises(BadInput, match=words) as refused:
        desk.build(dynamic().SerializeToString(), [given])
    assert refused.value.expected == expected


def test_this_tensorrt_has_no_precision_flags(desk: Desk) -> None:
    with pytest.raises(BadInput, match=r"TensorRT for RTX 1\.\S+ has no precision flags and no calibrator") as refused:
        desk.build(resnet().SerializeToString(), precision=PRECISION_FP16, lowering=LOWERING_BUILDER_FLAGS)
    assert refused.value.hint == "lowering: typed"


def test_int8_without_a_qdq_graph_is_bad_input(desk: Desk) -> None:
    with pytest.raises(BadInput, match=r"int8 in a strongly typed network .* Q/DQ pairs, and the task brings none"):
        desk.build(resnet().SerializeToString(), precision=PRECISION_INT8)


def test_this_tensorrt_has_no_dla(desk: Desk) -> None:
    with pytest.raises(BadInput, match=r"TensorRT for RTX .* has no DLA") as refused:
        desk.build(resnet().SerializeToString(), precision=PRECISION_FP16, placement="dla")
    assert refused.value.hint == "placement: gpu"


def test_a_placement_and_a_precision_that_do_not_exist_are_bad_input(desk: Desk) -> None:
    with pytest.raises(BadInput, match="does not run on 'cpu'"):
        desk.build(resnet().SerializeToString(), placement="cpu")
    with pytest.raises(BadInput, match="has no precision unspecified"):
        desk.build(resnet().SerializeToString(), precision=PRECISION_UNSPECIFIED)


def test_a_graph_that_the_builder_does_not_take_is_refused_with_its_words(desk: Desk) -> None:
    """Two inputs of Add that never fit, at any size in the range."""
    net = Net()
    total = net.node("Add", net.reshape("x", -1, 7), net.weight(1, 7))
    model = net.model(total, ["batch", 3, "height", "width"])
    with pytest.raises((BuildRefused, BadInput)) as refused:
        desk.build(model.SerializeToString(), [RANGED])
    assert "Error" in str(refused.value) or "node" in str(refused.value)


def test_nothing_is_left_of_a_refused_build(desk: Desk) -> None:
    with pytest.raises(BuildRefused):
        desk.build(with_operator("Bernoulli"), [IMAGE])
    assert not desk.out.exists()
