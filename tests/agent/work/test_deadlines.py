"""What misses amount to, on times that are written down; and arrivals, which are planned before the first one."""

from dataclasses import replace

import numpy as np
import pytest

from agent.work.deadlines import Served, deadline_flags, deadline_metrics, miss_runs, share_of
from agent.work.pace import LEAD_S, ArrivalPattern, pace_circumstances, plan_arrivals
from jetfleet.metrics import NAMES
from jetfleet.v1.task_pb2 import FLAG_KIND_UNSTABLE

MS = 1_000_000
AT_100_HZ = ArrivalPattern(100.0, 0.010)


def served(*spans_ms: tuple[float, float, float], unanswered: int = 0, before_ms: float = 0.0) -> Served:
    """Arrival, begin and end of each, in ms."""
    columns = [np.array([round(span[index] * MS) for span in spans_ms]) for index in range(3)]
    return Served(
        columns[0],
        columns[1],
        columns[2],
        before_ns=int(before_ms * MS),
        unanswered=unanswered,
        pace=AT_100_HZ,
        back_to_back_ms=2.0,
    )


def test_lateness_counts_from_the_plan_and_not_from_the_begin() -> None:
    # The second took 15 ms, so that the third, which took 2 ms, began late: its answer is late too.
    late = served((10, 10, 12), (20, 20, 35), (30, 35, 37), (40, 40, 42))
    found = deadline_metrics(late)
    assert found["paced_miss_share"].value == 0.25
    assert list(late.waits_ms) == [0, 0, 5, 0]
    assert list(late.responses_ms) == [2, 15, 7, 2]
    assert list(late.busy_ms) == [2, 15, 2, 2]
    assert found["paced_queued_share"].value == 0.25
    assert found["paced_busy_share"].value == pytest.approx(21 / 40)  # the window ends when a fifth would have come
    assert found["jitter_ms"].value == pytest.approx((13 + 8 + 5) / 3)
    assert found["back_to_back_p50_ms"].value == 2.0
    assert set(found) <= NAMES


def test_misses_come_in_runs_and_what_is_left_unanswered_is_one_of_them() -> None:
    missed = np.array([True, True, False, True, False, False, True, True, True])
    assert miss_runs(missed) == [2, 1, 3]
    assert miss_runs(np.zeros(4, bool)) == []
    found = deadline_metrics(served((10, 10, 12), (20, 20, 35), unanswered=3))
    assert found["paced_miss_share"].value == pytest.approx(4 / 5)
    assert found["paced_miss_run_max"].value == 4
    assert found["paced_miss_runs"].value == 1


def test_a_share_without_misses_has_an_interval_that_still_allows_some() -> None:
    found = share_of(np.zeros(300, bool))
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(3.84 / 303.84, rel=1e-2)


def test_misses_that_cluster_are_worth_fewer_samples() -> None:
    alone = np.zeros(400, bool)
    alone[::10] = True
    together = np.zeros(400, bool)
    together[200:240] = True
    spread, clustered = share_of(alone), share_of(together)
    assert spread.value == clustered.value == 0.1
    assert clustered.high - clustered.low > 1.5 * (spread.high - spread.low)


def test_what_follows_a_rest_is_told_apart_and_so_is_a_loop_that_woke_late() -> None:
    # Two of three rested for longer than the 2 ms that one takes; the loop began them 0.5 ms and 0.1 ms late.
    found = deadline_metrics(served((10, 10.5, 13.5), (20, 20.1, 22.1), (22, 22.1, 24.1), before_ms=2))
    assert found["after_idle_p50_ms"].value == pytest.approx(2.0)
    assert found["wake_error_max_ms"].value == pytest.approx(0.5)
    assert found["wake_error_p50_ms"].value == pytest.approx(0.1)
    busy = deadline_metrics(served((10, 10, 20), (20, 20, 30), (30, 30, 40), before_ms=10))
    assert "after_idle_p50_ms" not in busy


def test_who_cannot_keep_up_is_told_so() -> None:
    assert not deadline_flags(served(*((10 * i, 10 * i, 10 * i + 2) for i in range(9))))
    growing = served(*((10 * i, 14 * i, 14 * i + 14) for i in range(9)))
    (flag,) = deadline_flags(growing)
    assert flag.kind == FLAG_KIND_UNSTABLE
    assert "cannot keep up with 100 Hz: an inference takes 14 ms, and the queue grew" in flag.evidence
    (flag,) = deadline_flags(replace(growing, unanswered=5))
    assert "5 of 14 inputs were left" in flag.evidence


def test_fixed_arrivals_come_once_a_period_and_the_warm_up_does_not_count() -> None:
    plan = plan_arrivals(AT_100_HZ, warmup_s=0.5, min_s=1.0, max_s=10.0)
    assert np.all(np.diff(plan.arrivals_ns) == 10 * MS)
    assert plan.arrivals_ns[0] == LEAD_S * 1e9
    assert plan.warmup_n == 50
    assert len(plan.arrivals_ns) == 50 + 368  # as many as p99 takes
    assert plan.end_ns > plan.arrivals_ns[-1] + 10 * MS


@pytest.mark.parametrize("poisson", [False, True])
def test_however_rare_arrivals_are_one_counts(poisson: bool) -> None:
    plan = plan_arrivals(ArrivalPattern(0.01, 1.0, poisson=poisson), warmup_s=0.0, min_s=1.0, max_s=10.0)
    assert len(plan.arrivals_ns) > plan.warmup_n


def test_poisson_arrivals_are_those_of_their_seed_and_each_process_has_its_own() -> None:
    def gaps(seed: int, run: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        pace = ArrivalPattern(1000.0, 0.001, poisson=True, seed=seed)
        return np.diff(plan_arrivals(pace, warmup_s=0.0, min_s=20.0, max_s=20.0, run=run).arrivals_ns)

    first = gaps(3, 0)
    assert np.array_equal(first, gaps(3, 0))
    assert not np.array_equal(first[:100], gaps(3, 1)[:100])
    assert not np.array_equal(first[:100], gaps(4, 0)[:100])
    assert first.mean() == pytest.approx(MS, rel=0.03)
    assert first.std() == pytest.approx(first.mean(), rel=0.05)  # exponential


def test_a_pace_is_a_circumstance() -> None:
    assert pace_circumstances(None) == {}
    assert pace_circumstances(ArrivalPattern(30.0, 1 / 30)) == {"arrivals": "30 Hz, fixed", "deadline": "33.3333 ms"}
    assert pace_circumstances(ArrivalPattern(30.0, 0.1, poisson=True, seed=7))["arrivals"] == "30 Hz, poisson (seed 7)"
