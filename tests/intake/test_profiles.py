"""Optimisation profiles: from job.yaml to the variants, and every way in which they do not fit."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from controller.intake.jobfile.spec import load_text
from controller.model.job import ShapeRange
from jetfleet.errors import BadInput
from tests.intake.conftest import Workplace

VARIANTS = "variants: {runtime: [onnxruntime, tensorrt], placement: [gpu], batch: [1, 8]}\n"
OPTIONS = "options:\n  tensorrt:\n    profile:\n      "
MODEL = "model:\n  onnx: m.onnx\n  inputs: {x: {shape: [batch, 6, 4]}}\n"
HEAD = "apiVersion: jetfleet/v1\nname: test\nmodel: {onnx: m.onnx}\n"


def two_inputs(second: tuple[int | str, ...] = ("N", 4)) -> onnx.ModelProto:
    """y = x + bias, with x [N, length, 4]: the batch and a length are open."""
    shapes = {"x": ("N", "length", 4), "bias": second}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "length", 4])
    nodes = [
        helper.make_node("ReduceSum", ["bias"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "two", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def shop(place: Workplace) -> Workplace:
    place.model(two_inputs(second=(4,)))
    return place


def test_a_range_is_the_tensorrt_variants_own(shop: Workplace) -> None:
    asked = "x: {min: [1, 2, 4], opt: [4, 6, 4], max: [8, 16, 4]}\n"
    variants = shop.prepare(MODEL + VARIANTS + OPTIONS + asked).spec.variants
    ranges = {variant.key: [item.range for item in variant.inputs] for variant in variants}
    ranged = ShapeRange((1, 2, 4), (4, 6, 4), (8, 16, 4))
    assert ranges == {
        "onnxruntime-fp32-b1-gpu": [None, None],
        "onnxruntime-fp32-b8-gpu": [None, None],
        "tensorrt-fp32-b1-gpu": [ranged, None],
        "tensorrt-fp32-b8-gpu": [ranged, None],
    }
    assert [item.inputs[0].shape for item in variants] == [(1, 6, 4), (8, 6, 4)] * 2
    assert [item.options for item in variants] == [{}] * 4


def test_the_sibling_has_a_profile_of_its_own(shop: Workplace) -> None:
    options = "options: {tensorrt_rtx: {refit: on, profile: {x: {min: [1, 6, 4], opt: [1, 6, 4], max: [2, 6, 4]}}}}"
    (variant,) = shop.prepare(MODEL + "variants: {runtime: [tensorrt_rtx]}\n" + options).spec.variants
    assert variant.inputs[0].range == ShapeRange((1, 6, 4), (1, 6, 4), (2, 6, 4))
    assert (variant.placement, variant.options) == ("gpu", {"refit": "on"})


@pytest.mark.parametrize(
    ("asked", "where", "message", "expected", "hint"),
    [
        (
            "y: {min: [1, 6, 4], opt: [1, 6, 4], max: [8, 6, 4]}",
            "10:7",
            "the model has no input 'y'",
            "x, bias",
            "",
        ),
        (
            "x: {min: [1, 6], opt: [1, 6], max: [8, 6]}",
            "10:16",
            "input 'x' has 3 dimensions, not 2",
            "a shape like [1, 6, 4]",
            "",
        ),
        (
            "x: {min: [1, 6, 4], opt: [1, 6, 4], max: [8, 6, 5]}",
            "10:55",
            "dimension 2 of input 'x' is fixed at 4 in the graph, and max says 5",
            "4",
            "only a dimension that the graph leaves open can have a range: export it open",
        ),
        (
            "x: {min: [1, 6, 4], opt: [1, 6, 4], max: [4, 6, 4]}",
            "10:49",
            "shape outside the profile: dimension 0 (the batch) of input 'x' is 8 in tensorrt-fp32-b8-gpu",
            "1 to 4, as the profile says",
            "write max: [8, 6, 4]",
        ),
        (
            "x: {min: [2, 6, 4], opt: [4, 6, 4], max: [8, 6, 4]}",
            "10:17",
            "shape outside the profile: dimension 0 (the batch) of input 'x' is 1 in tensorrt-fp32-b1-gpu",
            "2 to 8, as the profile says",
            "write min: [1, 6, 4]",
        ),
        (
            "x: {min: [1, 7, 4], opt: [4, 8, 4], max: [8, 8, 4]}",
            "10:20",
            "shape outside the profile: dimension 1 of input 'x' is 6 in tensorrt-fp32-b1-gpu",
            "7 to 8, as the profile says",
            "write min: [1, 6, 4]",
        ),
    ],
)
def test_a_profile_that_the_model_does_not_fit(
    shop: Workplace, asked: str, where: str, message: str, expected: str, hint: str
) -> None:
    error = shop.refused(MODEL + VARIANTS + OPTIONS + asked)
    assert (error.where, error.message) == (f"job.yaml:{where}", message)
    assert (error.expected, error.hint) == (expected, hint)


def test_a_shape_inside_what_the_hint_says_is_accepted(shop: Workplace) -> None:
    error = shop.refused(MODEL + VARIANTS + OPTIONS + "x: {min: [1, 6, 4], opt: [1, 6, 4], max: [4, 6, 4]}")
    line = error.hint.removeprefix("write ")
    assert shop.prepare(MODEL + VARIANTS + OPTIONS + f"x: {{min: [1, 6, 4], opt: [1, 6, 4], {line}}}")


def test_all_inputs_share_the_batch(place: Workplace) -> None:
    place.model(two_inputs())
    alone = "x: {min: [1, 6, 4], opt: [1, 6, 4], max: [8, 6, 4]}\n"
    error = place.refused(MODEL + VARIANTS + OPTIONS + alone)
    assert error.where == "job.yaml:10:7"
    assert error.message == "the batch has a range, and input 'bias', which has it too, has none"
    added = error.hint.removeprefix("below `profile:` add\n")
    assert added == "      bias: {min: [1, 4], opt: [1, 4], max: [8, 4]}"
    assert place.prepare(MODEL + VARIANTS + OPTIONS + alone + added)
    other = place.refused(MODEL + VARIANTS + OPTIONS + alone + "      bias: {min: [1, 4], opt: [2, 4], max: [8, 4]}")
    assert other.where == "job.yaml:11:13"
    assert other.message == "the batch of input 'bias' is 1 to 8, at best 2, and of 'x' 1 to 8, at best 1"


def test_a_length_may_have_a_range_of_its_own(place: Workplace) -> None:
    place.model(two_inputs())
    one = "variants: {runtime: [tensorrt]}\n"
    asked = "x: {min: [1, 2, 4], opt: [1, 6, 4], max: [1, 9, 4]}"
    assert place.prepare(MODEL + one + OPTIONS + asked).spec.variants[0].inputs[1].range is None


@pytest.mark.parametrize(
    ("placement", "asked", "where", "message"),
    [
        ("gpu", "min: [1, 2], opt: [1], max: [1]", "5:41", "min of input 'x' has 2 dimensions, and opt has 1"),
        ("gpu", "min: [1], opt: [1], max: [1, 2]", "5:61", "max of input 'x' has 2 dimensions, and opt has 1"),
        ("gpu", "min: [2], opt: [1], max: [3]", "5:52", "dimension 0 of input 'x' goes from 2 over 1 to 3"),
        ("gpu", "min: [2], opt: [1], max: [1]", "5:62", "dimension 0 of input 'x' goes from 2 over 1 to 1"),
        (
            "gpu+dla0",
            "min: [1], opt: [1], max: [3]",
            "5:35",
            "a DLA takes static shapes only, and input 'x' has a range",
        ),
    ],
)
def test_a_profile_that_is_wrong_in_itself(placement: str, asked: str, where: str, message: str) -> None:
    variants = f"variants: {{runtime: [tensorrt], precision: [fp16], placement: [{placement}]}}\n"
    with pytest.raises(BadInput) as caught:
        load_text(f"{HEAD}{variants}options: {{tensorrt: {{profile: {{x: {{{asked}}}}}}}}}", Path("job.yaml"))
    assert caught.value.message == message
    assert caught.value.where == f"job.yaml:{where}"


def test_a_dla_takes_a_profile_of_one_shape() -> None:
    variants = "variants: {runtime: [tensorrt], precision: [fp16], placement: [dla0]}\n"
    load_text(f"{HEAD}{variants}options: {{tensorrt: {{profile: {{x: {{min: [2], opt: [2], max: [2]}}}}}}}}", Path("j"))
