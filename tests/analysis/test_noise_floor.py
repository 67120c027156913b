"""Noise floors learnt from A/A runs, and the bars of the whole rule by simulation: false alarms and detections."""

import random
from dataclasses import replace

import pytest

from controller.analysis.compare import compare
from controller.analysis.noise_floor import noise_floor, repeatability
from controller.model.comparison import Answer
from controller.model.result import FlagKind, Row, Schedule
from tests.analysis.runs import BOARD, round_medians, row

TRIALS = 700
DIFFERENT = {Answer.FASTER, Answer.SLOWER}


def test_the_floor_is_learnt_from_repeats_of_the_same_thing() -> None:
    repeats = [row(number, p50_ms) for number, p50_ms in enumerate([10.0, 10.5, 9.5, 10.2, 9.8], start=10)]
    learnt, runs = repeatability(repeats)
    assert runs == 5
    # s is 0.0383 from 5 runs, and 0.0031 before any: 3.36 * sqrt(2) * sqrt((4 * 0.0031**2 + 4 * 0.0383**2) / 8)
    assert learnt == pytest.approx(0.137, abs=0.001)
    floor = noise_floor(row(1), row(2), repeats)
    assert floor.share == learnt
    assert floor.source == "13.7%, learnt from 5 A/A runs on nano-1"
    assert noise_floor(row(1), row(2), repeats, minimum=0.5).source == "the minimum of 50.0%"


def beside(alone: Row) -> Row:
    """The same engine as the second subject of its task."""
    return replace(alone, measurement=replace(alone.measurement, subject_index=1))


def test_what_is_not_a_repeat_teaches_nothing() -> None:
    others: list[Row] = [
        row(10, 10.0),
        row(11, 20.0, engine_key="f" * 64),
        row(12, 20.0, device="nano-2"),
        row(13, 20.0, facts={**BOARD, "power_mode": "MAXN"}),
        row(14, 20.0, FlagKind.UNSTABLE),
        row(15, []),
        row(16, 10.01),
        row(17, 20.0, schedule=Schedule.CONCURRENT),
        beside(row(18, 30.0, schedule=Schedule.CONCURRENT)),
    ]
    assert repeatability(others) == (pytest.approx(0.0158, abs=0.0005), 2)
    assert noise_floor(row(1), row(2), others) == noise_floor(row(1), row(2), [])


def test_before_any_repeat_the_floor_is_the_minimum() -> None:
    assert repeatability([row(1)], minimum=0.03) == (pytest.approx(0.03), 0)
    assert noise_floor(row(1), row(2), []).share == 0.02


def test_a_pair_never_teaches_the_floor_that_judges_it() -> None:
    rows = [row(1, 10.0), row(2, 10.0), row(3, 10.02), row(4, 20.0)]
    found = {item.row.job_id: item for item in compare(rows, baseline="1").comparisons}
    assert found[4].answer is Answer.SLOWER
    assert found[2].floor is not None
    assert found[2].floor.share > 0.5, "to the others, job 4 of the same engine is noise"


def trial(noise: random.Random, *, slowdown: float, session: float, known: int) -> Answer:
    """Job 1 against job 2, `slowdown` slower, on a board that has run job 1's engine `known` times before."""

    def run(number: int, p50_ms: float = 10.0, engine: str = "a") -> Row:
        return row(number, round_medians(noise, p50_ms=p50_ms, session=session), engine_key=engine * 64)

    rows = [run(1), run(2, 10.0 * (1 + slowdown), "b")]
    (found,) = compare(rows, history=[run(10 + index) for index in range(known)]).comparisons
    return found.answer


@pytest.mark.parametrize(("session", "known"), [(0.003, 0), (0.005, 0), (0.005, 5), (0.02, 20)])
def test_false_alarms(session: float, known: int) -> None:
    noise = random.Random(f"A/A {session} {known}")
    alarms = sum(trial(noise, slowdown=0.0, session=session, known=known) in DIFFERENT for _ in range(TRIALS))
    assert alarms / TRIALS <= 0.01, f"{alarms} of {TRIALS}"


@pytest.mark.parametrize(("session", "known"), [(0.003, 0), (0.005, 0), (0.003, 5)])
def test_a_slowdown_of_5_percent_is_found(session: float, known: int) -> None:
    noise = random.Random(f"5 % {session} {known}")
    found = sum(trial(noise, slowdown=0.05, session=session, known=known) is Answer.SLOWER for _ in range(TRIALS))
    assert found / TRIALS >= 0.95, f"{found} of {TRIALS}"
