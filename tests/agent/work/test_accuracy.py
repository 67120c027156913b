"""How right an engine is on evaluation data: by classes, by distance, and by a function of the user's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from agent.runtime.arrays import Tensor
from agent.work.accuracy import evaluate, meter_of
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import TensorSpec
from tests.agent.builders import tensor_spec


def measured(
    name: str,
    run: Any,
    samples: Tensor,
    labels: Any,
    *,
    specs: Sequence[TensorSpec],
    batch: int,
    output: str = "",
    function: Any = None,
) -> float:
    meters = {name: meter_of(name, function, output=output)}
    return evaluate(run, {"x": samples}, np.asarray(labels), meters, specs=specs, batch=batch)[name]


def top1(run: Any, samples: Tensor, labels: Any, *, specs: Sequence[TensorSpec], batch: int, output: str = "") -> float:
    return measured("accuracy", run, samples, labels, specs=specs, batch=batch, output=output)


def linear(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Says class 1 where the first feature is positive."""
    first = inputs["x"].reshape(2, -1)[:, :1]
    return {"scores": np.concatenate([-first, first], axis=1)}


SAMPLES = np.array([[1, 0], [-1, 0], [2, 0], [-3, 0], [5, 0]], dtype=np.float32)


def accuracy(run: Any, labels: Any, *, samples: Tensor = SAMPLES, batch: int = 2) -> float:
    specs = [tensor_spec((2, 2))]
    return top1(run, samples, labels, specs=specs, batch=batch)


def test_accuracy_counts_each_sample_once_though_the_last_batch_is_filled_up() -> None:
    assert accuracy(linear, [1, 0, 1, 0, 1]) == 1.0
    assert accuracy(linear, [1, 0, 1, 0, 0]) == 0.8


def test_accuracy_of_labels_that_the_engine_gives_itself() -> None:
    assert accuracy(lambda inputs: {"label": (inputs["x"][:, 0] > 0).astype(np.int64)}, [1, 0, 1, 0, 1]) == 1.0


def test_accuracy_is_taken_from_the_output_that_the_task_names() -> None:
    def two(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"embedding": np.zeros((2, 64), dtype=np.float32), **linear(inputs)}

    specs = [tensor_spec((2, 2))]
    labels = np.array([1, 0, 1, 0, 1])
    assert top1(two, SAMPLES, labels, specs=specs, batch=2, output="scores") == 1.0
    with pytest.raises(BadInput, match="not said") as caught:
        top1(two, SAMPLES, labels, specs=specs, batch=2)
    assert caught.value.expected == "embedding, scores"
    with pytest.raises(BadInput, match="no output 'logits'"):
        top1(two, SAMPLES, labels, specs=specs, batch=2, output="logits")


def test_accuracy_without_a_batch_dimension() -> None:
    def one(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert inputs["x"].shape == (2,)
        return {"scores": np.array([-inputs["x"][0], inputs["x"][0]])}

    labels = np.array([1, 0, 1, 0, 1])
    assert top1(one, SAMPLES, labels, specs=[tensor_spec((2,))], batch=1) == 1.0


@pytest.mark.parametrize(
    ("labels", "samples"),
    [
        ([0.5] * 5, SAMPLES),
        ([[1]] * 5, SAMPLES),
        ([1] * 4, SAMPLES),
        ([1] * 5, SAMPLES[:, :1]),
        ([1] * 5, SAMPLES.astype(np.float64)),
    ],
)
def test_evaluation_data_that_do_not_fit_are_refused(labels: Any, samples: Tensor) -> None:
    with pytest.raises(BadInput):
        accuracy(linear, labels, samples=samples)


def test_an_engine_that_is_no_classifier_has_no_accuracy() -> None:
    with pytest.raises(BadInput, match="classifier"):
        accuracy(lambda inputs: {"y": np.zeros((2, 1), np.float32)}, [1] * 5)


ROWS = np.arange(10, dtype=np.float32).reshape(5, 2)
SPECS = [tensor_spec((2, 2))]


def ranks(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of eight classes the highest scores are those of 7, 6, 5, ..."""
    return {"scores": np.tile(np.arange(8, dtype=np.float32), (2, 1))}


def test_the_five_best_count_for_top_5() -> None:
    labels = [7, 3, 2, 6, 0]
    assert measured("accuracy_top5", ranks, ROWS, labels, specs=SPECS, batch=2) == pytest.approx(3 / 5)
    assert measured("accuracy", ranks, ROWS, labels, specs=SPECS, batch=2) == pytest.approx(1 / 5)


def test_the_mean_error_is_over_every_element_of_every_row_once() -> None:
    def half(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"y": inputs["x"] + 0.5}

    wanted = ROWS.copy()
    wanted[4] -= 1.0
    found = measured("mean_abs_error", half, ROWS, wanted, specs=SPECS, batch=2)
    assert found == pytest.approx((8 * 0.5 + 2 * 1.5) / 10)
    with pytest.raises(BadInput, match="labels"):
        measured("mean_abs_error", half, ROWS, wanted[:, 0], specs=SPECS, batch=2)


def test_a_users_function_sees_all_rows_and_labels_once() -> None:
    seen = []

    def own(outputs: Mapping[str, Tensor], labels: Tensor) -> float:
        seen.append((outputs, labels))
        return float(np.mean(outputs["scores"][:, 0] == labels[:, 0]))

    labels = np.zeros((5, 3))
    assert measured("iou", ranks, ROWS, labels, specs=SPECS, batch=2, function=own) == 1.0
    ((outputs, given),) = seen
    assert outputs["scores"].shape == (5, 8)
    assert np.array_equal(given, labels)


@pytest.mark.parametrize("answer", ["good", float("nan"), -0.1, 1.5, None])
def test_what_cannot_be_an_accuracy_is_refused(answer: Any) -> None:
    with pytest.raises(BadInput, match="the function answered"):
        measured("mean_ap", ranks, ROWS, np.zeros(5), specs=SPECS, batch=2, function=lambda outputs, labels: answer)


def test_a_metric_without_a_function_must_be_built_in() -> None:
    with pytest.raises(BadInput, match="not built in"):
        meter_of("mean_ap", None, output="")
