"""What a comparison fetches: each job once, and as history the newest that other jobs measured on its devices."""

import pytest

from controller.api.compare import compare_jobs
from controller.model.comparison import Axis
from controller.model.job import Condition, Op
from controller.model.result import Row
from controller.model.view import ResultQuery
from jetfleet.errors import BadInput
from tests.analysis.runs import row


def test_each_job_is_asked_once_and_history_by_variant_and_device() -> None:
    asked: list[ResultQuery] = []

    def fetch(query: ResultQuery) -> list[Row]:
        asked.append(query)
        return [row(query.job_ids[0])] if query.job_ids else [row(number, 20.0 + number) for number in range(10, 16)]

    conditions = (Condition("sku", Op.EQUALS, ("a",)),)
    compared = compare_jobs(fetch, [1, 2, 1], by=Axis.JOB, conditions=conditions, variant_keys=("v",))
    assert [query.job_ids for query in asked] == [(1,), (2,), (), ()]
    assert asked[0].conditions == conditions
    assert asked[0].variant_keys == ("v",)
    assert asked[2].variant_keys == ("tensorrt-fp16-b1-gpu",)
    for query in asked[2:]:
        assert query.conditions == (Condition("device", Op.IN, ("nano-1",)),)
        assert query.except_job_ids == (1, 2)
    (item,) = compared.comparisons
    assert item.floor is not None
    assert "learnt from 6 A/A benches" in item.floor.source


def test_nothing_measured_is_nothing_compared() -> None:
    assert compare_jobs(lambda query: [], [1]).comparisons == ()


def test_a_job_that_does_not_fit_is_refused_and_not_cut() -> None:
    with pytest.raises(BadInput, match="1000 measurements or more"):
        compare_jobs(lambda query: [row(1)] * 1000, [1])
