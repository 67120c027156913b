"""How often a printed interval of p50 holds what the same measurement prints again: simulated, stopping rule and all.

Runs differ (run effects), samples within one are alike (AR(1)), the machine drifts (a slow AR(1) over runs), and the
product's own code decides how many runs there are and what the interval is: of the runs, and widened to what the
device's earlier benches differ by. Nothing is run, nothing is timed.
"""

import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from agent.repeat.interval import repeat_interval, typical
from agent.repeat.plan import PLANNED_RUNS, wanted_by
from benchmarks.figure import Figure, main
from controller.core.repeats import PastValue, repeated
from controller.model.result import Estimate
from jetfleet.stats.welch import log_mean

ROUNDS = 10  # of a run
EXTRA_RUNS = 5  # that fit into the time of a default measurement
KNOWN = 20  # benches in the history of a device that is in use


@dataclass(frozen=True)
class Machine:
    """Relative standard deviations: of a round within a run, of runs, and of a drift that neighbouring runs share."""

    within: float
    between: float
    correlation: float  # of neighbouring rounds
    drift: float = 0.0
    memory: float = 0.0  # of the drift, from one run to the next

    def __str__(self) -> str:
        drift = f", drift {self.drift:.1%} with memory {self.memory:g}" if self.drift else ""
        return f"runs differ by {self.between:.1%}, rounds correlate by {self.correlation:g}{drift}"

    def measurement(self, chance: random.Random, start: float) -> tuple[list[float], float]:
        """Medians of the runs of one measurement, and where its drift has come to."""
        medians: list[float] = []
        level = start
        while True:
            level = self.memory * level + math.sqrt(1 - self.memory**2) * chance.gauss(0, self.drift)
            effect = chance.gauss(0, self.between)
            medians.append(10.0 * math.exp(level + effect + self._median_of_rounds(chance)))
            if len(medians) >= PLANNED_RUNS and len(medians) >= min(wanted_by(medians), PLANNED_RUNS + EXTRA_RUNS):
                return medians, level

    def _median_of_rounds(self, chance: random.Random) -> float:
        fresh = self.within * math.sqrt(1 - self.correlation**2)
        value, rounds = chance.gauss(0, self.within), []
        for _ in range(ROUNDS):
            rounds.append(value)
            value = self.correlation * value + chance.gauss(0, fresh)
        return sorted(rounds)[ROUNDS // 2]


@dataclass(frozen=True)
class Coverage:
    """Shares of pairs of measurements of the same thing, one after the other."""

    covered: float  # the second's p50 lies in the first's interval
    disjoint: float  # the two intervals have nothing in common
    runs: float  # of one, on average
    half_width: float

    def __str__(self) -> str:
        return f"+-{self.half_width:.2%} from {self.runs:.1f} runs, {self.disjoint:.2%} of intervals disjoint"


@dataclass(frozen=True)
class Setting:
    """`known` benches of the same thing are in the device's history; None: the interval is the agent's, of the runs
    alone. `at_once`: each starts where the one before it left the machine, otherwise at another hour, when its drift is
    another.
    """

    known: int | None
    at_once: bool = True

    def __str__(self) -> str:
        when = "a repeat at once" if self.at_once else "a repeat at another hour"
        if self.known is None:
            return f"of the runs alone, {when}"
        return f"{self.known} benches known, {when}" if self.known else f"nothing known of the device, {when}"


RUNS_ALONE = Setting(None)


def coverage(machine: Machine, setting: Setting, *, pairs: int, seed: int = 0) -> Coverage:
    chance = random.Random(seed)
    level = chance.gauss(0, machine.drift)
    past: deque[PastValue] = deque(maxlen=setting.known or 0)
    before: Estimate | None = None
    covered = disjoint = counted = 0
    runs, widths = [], []
    while counted < pairs:
        medians, level = machine.measurement(chance, level if setting.at_once else chance.gauss(0, machine.drift))
        printed = _of_runs(medians) if setting.known is None else _printed(medians, past)
        if before is not None and len(past) == past.maxlen:
            covered += _low(before) <= _value(printed) <= _high(before)
            disjoint += _low(printed) > _high(before) or _high(printed) < _low(before)
            counted += 1
            runs.append(len(medians))
            widths.append(math.sqrt(_high(printed) / _low(printed)) - 1)
        before = printed
        past.append(PastValue("own", _value(printed)))
    return Coverage(covered / pairs, disjoint / pairs, fmean(runs), fmean(widths))


def _printed(medians: Sequence[float], past: Sequence[PastValue]) -> Estimate:
    deviation = math.sqrt(log_mean(medians).variance)
    return repeated(_of_runs(medians), past, own="own", run_deviation=deviation)[0]


def _of_runs(medians: Sequence[float]) -> Estimate:
    return Estimate(typical(medians), *(repeat_interval(medians, learnt_from=PLANNED_RUNS) or (0.0, math.inf)))


def _value(item: Estimate) -> float:
    return item.value or 0.0


def _low(item: Estimate) -> float:
    return item.low or 0.0


def _high(item: Estimate) -> float:
    return item.high or math.inf


def steady_machines() -> Iterator[Machine]:
    """Run effects from 0.3 to 5 %, samples from independent to hardly moving."""
    for between in (0.003, 0.01, 0.03, 0.05):
        for correlation in (0.0, 0.5, 0.9):
            yield Machine(within=0.02, between=between, correlation=correlation)


def drifting_machines() -> Iterator[Machine]:
    """Where neighbouring runs share what drift does to them: what no five runs in a row can see."""
    for drift in (0.01, 0.05):
        for memory in (0.5, 0.9, 0.99):
            yield Machine(within=0.02, between=0.01, correlation=0.5, drift=drift, memory=memory)


def figures(tiny: bool) -> Iterator[Figure]:
    pairs = 100 if tiny else 4_000
    for machine in (*steady_machines(), *drifting_machines()):
        for setting in _settings(machine):
            yield _figure(machine, setting, pairs=pairs)


def _figure(machine: Machine, setting: Setting, *, pairs: int) -> Figure:
    """With a history the bar has two sides, but for a repeat at once of what drifts, which shares the drift. Without
    one a deviation is assumed: where less is true, more is covered, and of a drift that is more nothing is promised.
    """
    found = coverage(machine, setting, pairs=pairs)
    is_promised = bool(setting.known) or not machine.drift
    is_exact = is_promised and setting.known != 0 and not (machine.drift and setting.at_once)
    return Figure(
        f"coverage, {machine}; {setting}",
        100 * found.covered,
        "%",
        at_least=93 if is_promised else None,
        at_most=97 if is_exact else None,
        note=str(found),
    )


def _settings(machine: Machine) -> Iterator[Setting]:
    for known in (None, 0, KNOWN):
        yield Setting(known)
        if machine.drift:
            yield Setting(known, at_once=False)


if __name__ == "__main__":
    main("coverage", figures)
