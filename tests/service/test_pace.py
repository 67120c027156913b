"""How often one caller may do what leaves a row behind."""

import pytest

from controller.service.pace import Pace
from jetfleet.errors import Infrastructure


def test_many_at_once_and_then_one_every_few_seconds() -> None:
    clock = [100.0]
    pace = Pace(burst=3, every_s=5.0, now=lambda: clock[0])

    def take() -> bool:
        try:
            pace.take("one", what="registrations")
        except Infrastructure:
            return False
        return True

    assert [take() for _ in range(5)] == [True, True, True, False, False]
    clock[0] += 5.0
    assert [take() for _ in range(2)] == [True, False]
    clock[0] += 1000.0
    assert [take() for _ in range(4)] == [True, True, True, False]


def test_one_caller_does_not_use_up_what_is_anothers() -> None:
    pace = Pace(burst=1, every_s=5.0, now=lambda: 0.0)
    pace.take("one", what="registrations")
    pace.take("two", what="registrations")
    with pytest.raises(Infrastructure, match="too many registrations"):
        pace.take("one", what="registrations")
