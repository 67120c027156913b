"""Work one step behind: in order, and no error lost."""

import pytest

from jetfleet.behind import Behind


async def test_answers_come_one_call_later_and_in_order() -> None:
    done: list[int] = []

    def note(number: int) -> int:
        done.append(number)
        return number

    async with Behind() as behind:
        answers = [await behind.do(note, number) for number in range(4)]
    assert answers == [None, 0, 1, 2]
    assert done == [0, 1, 2, 3]


async def test_the_last_call_s_error_is_raised_at_the_end() -> None:
    with pytest.raises(ValueError, match="no number"):
        async with Behind() as behind:
            await behind.do(_fail)


async def test_the_body_s_own_error_comes_first() -> None:
    with pytest.raises(KeyError):
        await _fail_twice()


async def _fail_twice() -> None:
    async with Behind() as behind:
        await behind.do(_fail)
        raise KeyError("the reason")


def _fail() -> None:
    raise ValueError("no number")
