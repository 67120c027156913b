"""Where a metric changed over the jobs that measured it: planted changes are found where they are, noise is none."""

import random
from collections.abc import Sequence
from datetime import datetime, timezone

import pytest

from controller.analysis.history import NEVER_BETTER, histories
from controller.model.history import History
from controller.model.result import FlagKind, Provenance, Row
from jetfleet.errors import BadInput
from tests.analysis.runs import repeats, row, run_medians

# What tells the noise of the device: repeats of another variant there.
QUIET = repeats(5.0, first=1000, variant_key="other", engine_key="q" * 64)


def of(rows: Sequence[Row], metric: str = "p50_ms") -> History:
    (found,) = [item for item in histories(rows, metric) if item.label != "other"]
    return found


def benches(levels: Sequence[float], seed: int = 1) -> list[Row]:
    """One job per level, each with an engine of its own, as a new commit has."""
    noise = random.Random(seed)
    return [
        row(
            number,
            run_medians(noise, p50_ms=level, session=0.001, between=0.001),
            engine_key=f"{number:064x}",
            labels={"commit": f"c{number}"},
        )
        for number, level in enumerate(levels, 1)
    ]


def test_two_planted_changes_are_found_at_their_commits_with_their_size() -> None:
    found = of([*QUIET, *benches([10.0] * 8 + [10.5] * 6 + [9.0] * 5)])
    assert [(item.last.commit, item.first.commit, item.better) for item in found.changes] == [
        ("c8", "c9", False),
        ("c14", "c15", True),
    ]
    for item, true in zip(found.changes, (1.05, 9 / 10.5), strict=True):
        assert item.ratio.low is not None
        assert item.ratio.high is not None
        assert item.ratio.low < true < item.ratio.high
        assert item.ratio.high / item.ratio.low < 1.01
        assert item.adjusted_p < 0.01


def test_the_newest_bench_alone_can_be_a_change() -> None:
    found = of([*QUIET, *benches([10.0] * 8 + [11.0])])
    assert [item.first.commit for item in found.changes] == ["c9"]


def test_one_engine_whose_board_got_slower_does_not_hide_it_as_noise() -> None:
    rows = [row(number, 10.0 if number < 7 else 10.6, engine_key="e" * 64) for number in range(1, 13)]
    assert [item.first.row.job_id for item in of([*QUIET, *rows]).changes] == [7]


def test_more_of_a_throughput_is_better() -> None:
    def with_throughput(number: int, value: float) -> Row:
        made = row(number, 10.0, engine_key=f"{number:064x}")
        for run in made.measurement.runs:
            assert isinstance(run.metrics, dict)
            run.metrics["throughput_per_s"] = value * (1 + 0.0001 * run.index)
        return made

    rows = [with_throughput(number, 100.0 if number < 6 else 150.0) for number in range(1, 11)]
    (change,) = of(rows, "throughput_per_s").changes
    assert (change.better, change.first.row.job_id) == (True, 6)


def test_noise_is_no_change_in_ninety_eight_of_a_hundred_histories() -> None:
    """1 % is asked for; three of 100 would be seen once in twelve even so."""
    changed = sum(bool(of([*QUIET, *benches([10.0] * 12, seed)]).changes) for seed in range(100))
    assert changed <= 3


def test_a_device_that_repeated_nothing_is_assumed_to_be_noisy() -> None:
    assert not of(benches([10.0, 10.0, 10.0, 10.3, 10.3, 10.3])).changes
    assert of(benches([10.0] * 4 + [15.0] * 4)).changes


def test_what_is_not_valid_is_shown_and_changes_nothing() -> None:
    rows = benches([10.0] * 6)
    hot = [row(50 + index, 20.0, FlagKind.THROTTLED, engine_key="f" * 64) for index in range(4)]
    found = of([*QUIET, *rows, *hot])
    assert len(found.points) == 10
    assert not found.changes


def test_the_order_of_rows_is_irrelevant_and_boards_and_power_modes_are_apart() -> None:
    rows = [*QUIET, *benches([10.0] * 5 + [12.0] * 5)]
    mixed = list(rows)
    random.Random(3).shuffle(mixed)
    assert histories(mixed, "p50_ms") == histories(rows, "p50_ms")
    others = [
        row(200, 10.0, device="nano-2"),
        row(201, 10.0, facts={**rows[0].facts, "power_mode": "MAXN"}),
        row(202, 10.0, provenance=Provenance.SIMULATED),
    ]
    assert len(histories([*rows, *others], "p50_ms")) == len(histories(rows, "p50_ms")) + 3


def test_twenty_comparisons_without_any_improvement_are_an_alarm() -> None:
    same = [row(number, 10.0, engine_key="e" * 64) for number in range(1, NEVER_BETTER + 2)]
    assert f"none of the last {NEVER_BETTER} comparisons" in of(same).alarm
    assert of(same[1:]).alarm == ""
    assert of([*same[:-1], row(99, 9.99, engine_key="e" * 64)]).alarm == ""
    assert of(benches([10.0] * 60)).alarm == ""
    worse = [row(number, 10.0 + 0.01 * number) for number in range(1, 30)]
    assert "since job 1)" in of(worse).alarm


def test_an_empty_and_an_unknown_history() -> None:
    assert histories([], "p50_ms") == []
    one = of([row(1, measured_at=datetime(2026, 1, 1, tzinfo=timezone.utc))])
    assert (len(one.points), one.changes, one.alarm) == (1, (), "")
    with pytest.raises(BadInput, match="no metric"):
        histories([row(1)], "p5_ms")
