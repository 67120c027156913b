"""Noise floors learnt from A/A benches, and the bars of the whole rule by simulation: false alarms and detections."""

import math
import random
from dataclasses import replace
from statistics import variance

import pytest

from controller.analysis.compare import compare
from controller.analysis.noise_floor import Noise
from controller.model.comparison import Answer
from controller.model.result import FlagKind, Provenance, Row, Schedule
from jetfleet.stats.repeats import Pooled, between_benches
from tests.analysis.runs import BOARD, repeats, row, run_medians

DIFFERENT = {Answer.FASTER, Answer.SLOWER}
P50 = "p50_ms"


def pooled(rows: list[Row], *pair: Row, several_runs: bool = True) -> Pooled:
    if pair:
        return Noise(rows, P50).pooled(pair[0], (pair[0], pair[1]))
    return Noise(rows, P50).of_device("nano-1", Provenance.MEASURED, several_runs=several_runs)


def test_the_variance_is_that_of_repeats_of_the_same_thing() -> None:
    values = [10.0, 10.5, 9.5, 10.2, 9.8]
    found = pooled([row(number, value) for number, value in enumerate(values, start=10)])
    assert (found.benches, found.freedom) == (5, 4)
    assert found.total == pytest.approx(variance(map(math.log, values)), rel=1e-6)


def test_several_things_are_pooled_and_single_processes_apart() -> None:
    first, second = [10.0, 10.5, 9.5], [20.0, 21.0]
    rows = [row(number, value) for number, value in enumerate(first, start=10)]
    rows += [row(number, value, engine_key="f" * 64) for number, value in enumerate(second, start=20)]
    rows += [row(number, value, one_process=True) for number, value in enumerate([1.0, 2.0], start=30)]
    found = pooled(rows)
    assert (found.benches, found.things, found.freedom) == (5, 2, 3)
    squares = 2 * variance(map(math.log, first)) + variance(map(math.log, second))
    assert found.total == pytest.approx(squares / 3, rel=1e-6)
    assert pooled(rows, several_runs=False).total == pytest.approx(variance([0.0, math.log(2)]), rel=1e-6)


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
        row(19, 20.0, provenance=Provenance.SIMULATED),
    ]
    found = pooled(others)
    assert (found.benches, found.freedom) == (2, 1)
    assert found.total == pytest.approx(variance([math.log(10.0), math.log(10.01)]), rel=1e-3)


def test_a_pair_never_teaches_the_floor_that_judges_it() -> None:
    rows = [row(1, 10.0), row(2, 20.0), *repeats(first=100, count=3)]
    assert pooled(rows).total > 0.05
    without = pooled(rows, rows[0], rows[1])
    assert without.benches == 3
    assert without.total == pytest.approx(pooled(rows[2:]).total, rel=1e-6)
    assert pooled(rows[:3], rows[0], rows[1]).freedom == 0


def test_a_things_own_repeats_count_alone_once_they_are_enough() -> None:
    own, other = repeats(first=100, count=7), repeats(first=200, spread=0.05, model_name="other")
    few = pooled([*own[:4], *other], row(1), row(2))
    assert few.benches == 16
    assert pooled([*own, *other], row(1), row(2)).total == pytest.approx(pooled(own).total)


def test_what_is_assumed_fades_as_repeats_come_in_and_gives_way_to_noise_at_once() -> None:
    def deviation(benches: int, seen: float) -> float:
        things = 1 if benches else 0
        known = Pooled(benches, things, (benches - things) * seen**2)
        return math.sqrt(between_benches(known, assumed=0.001).variance)

    assert deviation(0, 0.0) == pytest.approx(0.02)
    assert [deviation(n, 0.001) for n in (2, 4, 7)] == sorted([deviation(n, 0.001) for n in (2, 4, 7)], reverse=True)
    assert deviation(7, 0.001) == pytest.approx(0.001)
    assert deviation(5, 0.10) == pytest.approx(0.10)
    assert math.sqrt(between_benches(Pooled(), assumed=0.06).variance) == pytest.approx(0.06)


def trial(noise: random.Random, *, slowdown: float, session: float, between: float, known: int) -> Answer:
    """Job 1 against job 2, `slowdown` slower, on a board that has run job 1's engine `known` times before."""

    def bench(number: int, p50_ms: float = 10.0, engine: str = "a") -> Row:
        return row(number, run_medians(noise, p50_ms=p50_ms, session=session, between=between), engine_key=engine * 64)

    rows = [bench(1), bench(2, 10.0 * (1 + slowdown), "b")]
    (found,) = compare(rows, history=[bench(10 + index) for index in range(known)]).comparisons
    return found.answer


QUIET_AND_NOISY = [
    (0.003, 0.003, 0),
    (0.003, 0.003, 8),
    (0.01, 0.003, 0),
    (0.01, 0.01, 4),
    (0.02, 0.02, 0),
    (0.02, 0.003, 8),
    (0.05, 0.05, 0),
    (0.05, 0.02, 8),
]


@pytest.mark.parametrize(("session", "between", "known"), QUIET_AND_NOISY)
def test_false_alarms(session: float, between: float, known: int) -> None:
    """1 % is what is asked for, and what is had: within three deviations of 1 % of the trials."""
    noise, trials = random.Random(f"A/A {session} {between} {known}"), 500
    found = [trial(noise, slowdown=0.0, session=session, between=between, known=known) for _ in range(trials)]
    alarms = sum(answer in DIFFERENT for answer in found)
    assert alarms / trials <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / trials), f"{alarms} of {trials}"


@pytest.mark.parametrize(("session", "between", "known"), [(0.003, 0.003, 8), (0.005, 0.003, 20)])
def test_a_slowdown_of_5_percent_is_found_where_the_device_has_shown_that_it_is_quiet(
    session: float, between: float, known: int
) -> None:
    noise = random.Random(f"5 % {session} {known}")
    answers = [trial(noise, slowdown=0.05, session=session, between=between, known=known) for _ in range(200)]
    assert answers.count(Answer.SLOWER) / 200 >= 0.95, answers.count(Answer.SLOWER)


def test_all_answers_together_raise_a_false_alarm_as_rarely_as_one() -> None:
    """Twenty cells that are equal: uncorrected, one in six such tables would have an alarm."""
    noise, trials, alarms = random.Random("Holm"), 150, 0
    for _ in range(trials):
        cells = range(20)

        def bench(number: int, cell: int) -> Row:
            medians = run_medians(noise, session=0.003)
            return row(number, medians, job_id=number // 100, variant_key=f"v{cell}", engine_key=str(cell))

        rows = [bench(100 * job + cell, cell) for job in (1, 2) for cell in cells]
        history = [bench(1000 + 10 * index + cell, cell) for index in range(3) for cell in cells]
        alarms += any(item.answer in DIFFERENT for item in compare(rows, history=history).comparisons)
    assert alarms / trials <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / trials), alarms
