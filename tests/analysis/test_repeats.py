"""Old repeats put aside change no answer: neither which rows speak, nor what is held against what."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.analysis.choose import choose
from controller.analysis.comparability import circumstances
from controller.analysis.compare import compare
from controller.analysis.repeats import MOST, newest_repeats
from controller.model.comparison import Answer, Axis
from controller.model.result import VALID, Estimate, Flag, FlagKind, Row, Schedule
from testing import measurements

FP32, FP16 = "onnxruntime-fp32-b1-cpu", "onnxruntime-fp16-b1-cpu"
FACTS = [{"arch": "x86_64", "power_mode": mode} for mode in ("15W", "7W")]
CLOCKS: list[dict[str, str]] = [{}, {"gpu_clocks": "locked at 918 MHz"}]


@st.composite
def benches(draw: st.DrawFn) -> list[Row]:
    numbers = draw(st.lists(st.integers(1, 999), min_size=4, max_size=MOST + 20, unique=True))
    return [_bench(draw, number) for number in numbers]


def _bench(draw: st.DrawFn, number: int) -> Row:
    p50_ms = draw(st.floats(1.0, 1.1))
    kinds = draw(st.sampled_from([(), (), (FlagKind.THROTTLED,)]))
    made = measurements.row(
        facts=draw(st.sampled_from(FACTS)),
        variant=draw(st.sampled_from([FP32, FP16])),
        p50_ms=Estimate(p50_ms, p50_ms, p50_ms),
        circumstances=draw(st.sampled_from(CLOCKS)),
        flags=tuple(Flag(kind, "seen") for kind in kinds),
    )
    return replace(
        made,
        measurement_id=number,
        task_id=number,
        job_id=draw(st.integers(1, 3)),
        device=draw(st.sampled_from(["bench-1", "bench-2"])),
        engine_key=draw(st.sampled_from(["a", "b"])),
    )


def what(row: Row) -> tuple[object, ...]:
    return row.variant_key, row.device, row.engine_key, circumstances(row)


@settings(max_examples=150, deadline=None)
@given(benches(), st.sampled_from([None, *Axis]), st.integers(1, 4))
def test_what_is_kept(rows: list[Row], by: Axis | None, most: int) -> None:
    kept = newest_repeats(rows, by, most=most)
    assert kept == [row for row in rows if row in kept]
    for thing in {what(row) for row in rows}:
        alike = sorted((row for row in rows if what(row) == thing), key=lambda row: row.measurement_id, reverse=True)
        valid = [row for row in alike if row.measurement.verdict == VALID]
        assert {alike[0].measurement_id, *(row.measurement_id for row in valid[:most])} <= {
            row.measurement_id for row in kept
        }
        if by is not Axis.JOB and len(rows) > most:
            assert sum(what(row) == thing for row in kept) <= most + 1


@settings(max_examples=100, deadline=None)
@given(benches(), st.sampled_from(Axis), st.integers(1, 4))
def test_the_same_rows_speak(rows: list[Row], by: Axis, most: int) -> None:
    assert choose(newest_repeats(rows, by, most=most), by) == choose(rows, by)


@settings(max_examples=60, deadline=None)
@given(benches(), st.sampled_from(Axis))
def test_of_few_repeats_the_whole_report_is_as_of_all_of_them(rows: list[Row], by: Axis) -> None:
    found = compare(rows, by=by)
    with patch("controller.analysis.compare.newest_repeats", lambda rows, by=None, most=MOST: rows):
        assert compare(rows, by=by) == found


def test_noise_is_learnt_from_the_newest_of_very_many_repeats() -> None:
    """The device was noisy once, and has been quiet for longer than is looked back."""
    facts = FACTS[0]
    rows = []
    for number in range(1, 401):
        p50_ms = (1.0 if number <= 200 else 2.0) * (1 + (0.2 if number < 300 else 0.001) * (number // 2 % 2))
        made = measurements.row(
            facts=facts, variant=(FP32, FP16)[number % 2], p50_ms=Estimate(p50_ms * (1 + number % 2), 1, 9)
        )
        rows.append(replace(made, measurement_id=number, task_id=number))
    (found,) = compare(rows, by=Axis.VARIANT).comparisons
    assert found.floor is not None
    assert found.floor.source.endswith(f"learnt from {MOST - 1} A/A benches on bench-1")
    assert found.floor.share < 0.01
    assert found.answer is Answer.FASTER


def test_rows_that_were_timed_in_turns_are_all_kept() -> None:
    rows = [
        replace(measurements.row(), measurement_id=number, task_id=number // 2, schedule=Schedule.INTERLEAVED)
        for number in range(2 * MOST + 10)
    ]
    assert newest_repeats(rows) == rows


@pytest.mark.parametrize("by", Axis)
def test_the_newest_speaks_with_a_word_where_it_is_not_valid(by: Axis) -> None:
    alike = measurements.row(facts=FACTS[0])
    rows = [replace(alike, measurement_id=number) for number in range(1, 3 * MOST)]
    for number in (-1, -2):
        rows[number] = replace(
            rows[number], measurement=replace(alike.measurement, flags=(Flag(FlagKind.THROTTLED, "hot"),))
        )
    (found,) = choose(newest_repeats(rows, by), by).values()
    assert (found.row, "newest VALID: measurement 87" in found.note) == (rows[-3], True)
