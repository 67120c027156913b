"""What a gate says of numbers that never look any better: it may not see anything."""

import pytest

from controller.api.gate import alarms
from controller.model.interleaved import RegressionLimit
from controller.model.result import Row
from controller.model.view import ResultQuery
from tests.analysis.runs import row


@pytest.mark.parametrize(("count", "expected"), [(20, 0), (21, 1)])
def test_twenty_comparisons_without_an_improvement_are_told(count: int, expected: int) -> None:
    rows = [row(number, 10.0) for number in range(1, count + 1)]

    def fetch(query: ResultQuery) -> list[Row]:
        return rows

    assert len(alarms(fetch, rows[-1:], [RegressionLimit("p50_ms", 0.03)])) == expected
