"""Patience with a silent controller, and the refusal to speak plain text to another machine."""

import pytest

from controller.client.link import Patience, persistent
from jetfleet.errors import NotFound, Unreachable


class Clock:
    """Time passes only in sleep."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def patience(limit_s: float, clock: Clock) -> Patience:
    return Patience(limit_s, now=clock, sleep=clock.sleep)


def test_pauses_grow_and_end() -> None:
    clock = Clock()

    def silent() -> None:
        raise Unreachable("nobody")

    with pytest.raises(Unreachable):
        persistent(silent, patience=patience(10, clock))
    assert clock.slept[0] <= 0.1
    assert 1.0 <= max(clock.slept) <= 2.0
    assert 10 <= clock.now <= 12


def test_an_answer_after_silence_is_an_answer() -> None:
    errors = [Unreachable("nobody"), Unreachable("nobody")]

    def late() -> str:
        if errors:
            raise errors.pop()
        return "here"

    assert persistent(late, patience=patience(10, Clock())) == "here"


def test_what_the_controller_says_is_not_asked_again() -> None:
    clock = Clock()

    def refused() -> None:
        raise NotFound("no job 3")

    with pytest.raises(NotFound):
        persistent(refused, patience=patience(10, clock))
    assert clock.slept == []


def test_a_sign_of_life_renews_patience() -> None:
    clock = Clock()
    waiting = patience(1, clock)
    for _ in range(50):
        waiting.wait(Unreachable("nobody"))
        waiting.renew()
    assert max(clock.slept) <= 0.1
