"""How often a printed interval of p50 holds what the same measurement prints again: simulated, stopping rule and all.

Runs differ (run effects), samples within one are alike (AR(1)), the machine drifts (a slow AR(1) over runs), and the
product's own code decides how many runs there are and what the interval is. Nothing is run, nothing is timed.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from agent.repeat.flags import NOT_REPEATABLE_HALF_WIDTH
from agent.repeat.interval import repeat_interval, typical
from agent.repeat.plan import PLANNED_RUNS, wanted_by
from benchmarks.figure import Figure, main

ROUNDS = 10  # of a run
EXTRA_RUNS = 5  # that fit into the time of a default measurement


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
    flagged: float  # at least one of them is NOT_REPEATABLE
    runs: float  # of one, on average
    half_width: float

    def __str__(self) -> str:
        told = f"+-{self.half_width:.2%} from {self.runs:.1f} runs, {self.disjoint:.2%} of intervals disjoint"
        return f"{told}, {self.flagged:.0%} NOT_REPEATABLE"


def coverage(machine: Machine, *, pairs: int, seed: int = 0) -> Coverage:
    chance = random.Random(seed)
    covered = disjoint = flagged = 0
    runs, widths = [], []
    for _ in range(pairs):
        first, level = machine.measurement(chance, chance.gauss(0, machine.drift))
        second, _ = machine.measurement(chance, level)
        (low, high), (other_low, other_high) = _interval(first), _interval(second)
        covered += low <= typical(second) <= high
        disjoint += other_low > high or other_high < low
        flagged += max(high / low, other_high / other_low) > (1 + NOT_REPEATABLE_HALF_WIDTH) ** 2
        runs.append(len(first))
        widths.append(math.sqrt(high / low) - 1)
    return Coverage(covered / pairs, disjoint / pairs, flagged / pairs, fmean(runs), fmean(widths))


def _interval(medians: Sequence[float]) -> tuple[float, float]:
    return repeat_interval(medians, learnt_from=PLANNED_RUNS) or (0.0, math.inf)


def steady_machines() -> Iterator[Machine]:
    """Run effects from 0.3 to 5 %, samples from independent to hardly moving."""
    for between in (0.003, 0.01, 0.03, 0.05):
        for correlation in (0.0, 0.5, 0.9):
            yield Machine(within=0.02, between=between, correlation=correlation)


def drifting_machines() -> Iterator[Machine]:
    """Where neighbouring runs share what hour-scale drift does to them: what no five runs in a row can see."""
    for memory in (0.5, 0.9, 0.99):
        yield Machine(within=0.02, between=0.01, correlation=0.5, drift=0.01, memory=memory)


def figures(tiny: bool) -> Iterator[Figure]:
    """Coverage of steady machines is a bar; of drifting ones it is what the device's history is there for."""
    pairs = 300 if tiny else 4_000
    for machine in steady_machines():
        found = coverage(machine, pairs=pairs)
        yield Figure(f"coverage, {machine}", 100 * found.covered, "%", at_least=93, at_most=97, note=str(found))
    for machine in drifting_machines():
        found = coverage(machine, pairs=pairs)
        yield Figure(f"coverage, {machine}", 100 * found.covered, "%", note=str(found))


if __name__ == "__main__":
    main("coverage", figures)
