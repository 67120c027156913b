"""How many runs a BENCH has and how long their windows are, by what runs cost and how they differ. Pure.

First the planned runs, whose number follows from the cost of the first one alone. Then, where the job leaves it open,
as many more as their variance calls for: two stages, as in Stein's test, so that stopping costs the interval nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance

from agent.repeat.fate import decide_fates, timed
from agent.repeat.interval import runs_for
from jetfleet.v1.task_pb2 import Measurement, Outcome

PLANNED_RUNS = 5
FEWEST_RUNS = 3  # that make an interval
FIVE_WITHIN_S = 60.0  # all five of them, else three...
THREE_WITHIN_S = 180.0  # ...and if those take longer, one
WANTED_HALF_WIDTH = 0.01  # of p50's interval: good enough, stop
EXTRA_WITHIN_S = 12.5  # from the start of the first run to the end of the last one that is there to narrow the interval
SPARE = 1.5  # a run that is to end before the time limit may take so many times as long as the ones before


def planned_runs(asked: int, cost_s: float) -> int:
    """The runs that are decided on before their numbers are seen, where the first took `cost_s`."""
    if asked:
        return asked
    if PLANNED_RUNS * cost_s <= FIVE_WITHIN_S:
        return PLANNED_RUNS
    return FEWEST_RUNS if FEWEST_RUNS * cost_s <= THREE_WITHIN_S else 1


def expected_runs(asked: int) -> int:
    """What the window of the first run is made for, before anything is known of its cost."""
    return asked or PLANNED_RUNS


@dataclass(frozen=True)
class RunPlan:
    """`asked` runs, or with 0 as many as cost and spread call for."""

    asked: int

    def wants_another(self, outcomes: Sequence[Outcome], *, spent_s: float, left_s: float) -> bool:
        if not all(timed(outcome) for outcome in outcomes):
            return False  # a failure, or an engine that is wrong: no other run changes that
        cost_s = spent_s / len(outcomes)
        if left_s < SPARE * cost_s:
            return False
        counted, planned = _counted(outcomes), planned_runs(self.asked, cost_s)
        if len(counted) < planned:
            return True
        if self.asked or planned < PLANNED_RUNS or spent_s + cost_s > EXTRA_WITHIN_S:
            return False
        return len(counted) < wanted_runs(counted)

    def next_window_s(self, outcomes: Sequence[Outcome]) -> float:
        """The shortest window of the next run; 0: as the task says. Never shorter than the ones before."""
        counted = _counted(outcomes)
        if self.asked or len(counted) < PLANNED_RUNS:
            return 0.0
        return max(useful_window_s(parts) for parts in zip(*counted, strict=True))


def _counted(outcomes: Sequence[Outcome]) -> list[Sequence[Measurement]]:
    """The measurements of each run that counts."""
    fates = decide_fates(outcomes)
    return [outcome.measured.measurements for outcome, fate in zip(outcomes, fates, strict=True) if fate.counts]


def wanted_runs(runs: Sequence[Sequence[Measurement]]) -> int:
    """For an interval of p50 as narrow as wanted, of every subject."""
    wanted = 0
    for parts in zip(*runs, strict=True):
        p50s = [part.metrics["p50_ms"].value for part in parts if "p50_ms" in part.metrics]
        wanted = max(wanted, wanted_by([value for value in p50s if value > 0]))
    return wanted


def wanted_by(p50s: Sequence[float]) -> int:
    """The same by the medians of one subject's runs: the planned ones decide."""
    if len(p50s) < PLANNED_RUNS:
        return 0
    deviation = stdev(math.log(value) for value in p50s[:PLANNED_RUNS])
    return runs_for(WANTED_HALF_WIDTH, deviation, freedom=PLANNED_RUNS - 1)


def useful_window_s(runs: Sequence[Measurement]) -> float:
    """How long to time in one run, so that all runs together know most in the least time; 0 where it cannot be told.

    Kalibera and Jones, Rigorous Benchmarking in Reasonable Time (2013), section 6: of an outer level with cost c2 and
    variance T2 and an inner one with c1 and T1, the best number of inner repetitions is sqrt(c2 / c1 * T1 / T2). Here a
    run costs its load and warm-up, and a round its length.
    """
    medians = [[math.log(each.p50_ms) for each in run.rounds if each.p50_ms > 0] for run in runs if run.runs]
    if len(medians) < 2 or min(len(each) for each in medians) < 2:
        return 0.0
    rounds = fmean(len(each) for each in medians)
    round_s = sum(run.window.ToNanoseconds() for run in runs) / 1e9 / sum(len(each) for each in medians)
    start_s = fmean((run.runs[0].load.ToNanoseconds() + run.warmup.ToNanoseconds()) / 1e9 for run in runs)
    within = fmean(variance(each) for each in medians)
    between = variance(fmean(each) for each in medians) - within / rounds
    if between <= 0:  # runs differ by no more than their rounds explain: a long run is as good as several
        return math.inf
    return round_s * math.sqrt(start_s / round_s * within / between)
