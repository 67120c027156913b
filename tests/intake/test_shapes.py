"""The batch rule: which dimension is the batch, and what an open one is called."""

import pytest

from controller.intake.graph.shapes import GraphInput, Signature, Unresolved, resolve
from controller.intake.jobfile.inputs import InputRequest
from controller.intake.jobfile.model_error import ModelError


def found(*inputs: GraphInput, **asked: InputRequest) -> Signature:
    return resolve(inputs, asked)


def item(name: str, *dims: int | str | None) -> GraphInput:
    return GraphInput(name, "float32", dims)


def shapes(signature: Signature, batch: int) -> list[tuple[int, ...]]:
    return [each.shape(batch) for each in signature.inputs]


def test_an_open_first_dimension_is_the_batch() -> None:
    for name in ("N", None):
        signature = found(item("x", name, 3))
        assert (signature.dynamic, shapes(signature, 5)) == (True, [(5, 3)])


def test_same_name_same_number() -> None:
    assert shapes(found(item("x", "N", 3), item("state", 2, "N", 4)), 5) == [(5, 3), (2, 5, 4)]
    asked = InputRequest(shape=(1, 7))
    assert shapes(found(item("x", "N", "T"), item("mask", "N", "T"), x=asked), 1) == [(1, 7), (1, 7)]


def test_the_usual_names_of_the_batch_are_it_wherever_they_stand() -> None:
    assert shapes(found(item("x", None, 3), item("state", 2, "batch_size", 4)), 5) == [(5, 3), (2, 5, 4)]


def test_job_yaml_may_put_the_batch_anywhere() -> None:
    signature = found(item("x", "T", "B", 3), x=InputRequest(shape=(10, "batch", 3)))
    assert shapes(signature, 5) == [(10, 5, 3)]


def test_a_second_name_in_front_is_not_the_batch() -> None:
    with pytest.raises(Unresolved) as caught:
        found(item("image", "N", 3), item("boxes", "M", 4))
    assert caught.value.message == "dimension 0 (M) of input 'boxes' has no size: the graph leaves it open"


def test_a_fixed_graph_has_the_batch_that_its_inputs_agree_on() -> None:
    assert found(item("x", 2, 3), item("y", 2), item("scalar")).fixed_batch == 2
    disagreeing = found(item("x", 2, 3), item("y", 1))
    assert (disagreeing.fixed_batch, disagreeing.own_batch) == (None, 1)
    assert found(item("x", "N", 3), x=InputRequest(shape=(4, 3))).own_batch == 4


def test_one_name_cannot_be_two_sizes() -> None:
    with pytest.raises(ModelError, match="dimension 1 of input 'mask' is 7, not 8"):
        found(
            item("x", "N", "T"), item("mask", "N", "T"), x=InputRequest(shape=(1, 7)), mask=InputRequest(shape=(1, 8))
        )
