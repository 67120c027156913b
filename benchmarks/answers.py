"""How often `compare` tells a difference that is none, and finds one that is there: the product's own rule, simulated.

Benches are made up as devices make them: drift that moves all processes of a bench, processes that differ, and of tails
samples within each. Nothing is run; the last figure times the rule itself.
"""

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from benchmarks.figure import Figure, main
from controller.analysis.compare import compare
from controller.model.comparison import Answer, Comparison
from controller.model.interleaved import Interleaved, PairedRun
from controller.model.result import Estimate, Row, Run, Schedule
from jetfleet.stats import interleaved
from jetfleet.stats.decision import MARGIN
from jetfleet.stats.percentiles import nearest_rank
from jetfleet.stats.proportions import Proportion
from testing.measurements import row

RUNS, SAMPLES = 5, 600
DIFFERENT = {Answer.FASTER, Answer.SLOWER}


@dataclass(frozen=True)
class NoisyDevice:
    """Relative standard deviations between benches and between the processes of one; how many A/A benches are known."""

    benches: float
    runs: float
    known: int

    def __str__(self) -> str:
        return f"benches move by {self.benches:.1%}, processes by {self.runs:.1%}, {self.known} A/A benches known"

    def bench(self, chance: random.Random, number: int, *, engine: str = "a", scale: float = 1.0) -> Row:
        level = 10.0 * scale * math.exp(chance.gauss(0, self.benches))
        return made(number, engine, [{"p50_ms": level * math.exp(chance.gauss(0, self.runs))} for _ in range(RUNS)])


def made(number: int, engine: str, values: Sequence[dict[str, float]]) -> Row:
    """Measurement `number` of job `number`: what each of its fresh processes found."""
    runs = tuple(Run(index, SAMPLES, 3.0, 0.5, 10, 0.5, metrics=found) for index, found in enumerate(values))
    estimates = {name: Estimate(sorted(found[name] for found in values)[len(values) // 2]) for name in values[0]}
    template = row()
    measured = replace(template.measurement, runs=runs, metrics=estimates, accuracy_n=0)
    return replace(
        template,
        measurement_id=number,
        task_id=number,
        job_id=number,
        engine_key=engine,
        measurement=measured,
    )


def answer(device: NoisyDevice, chance: random.Random, slowdown: float) -> Answer:
    rows = [device.bench(chance, 1), device.bench(chance, 2, engine="b", scale=1 + slowdown)]
    history = [device.bench(chance, 10 + index) for index in range(device.known)]
    (found,) = compare(rows, history=history).comparisons
    return found.answer


def in_turns(chance: random.Random, *, ratio: float, deviation: float, bias: float, looks: Sequence[int]) -> Answer:
    """`submit --ab`: processes are added until a planned look decides, as the agent does it."""
    ratios: list[float] = []
    planned = interleaved.looks_at(looks)
    decided = partial(interleaved.is_decided, looks=planned, margin=MARGIN, confidence=interleaved.CONFIDENCE)
    while len(ratios) < looks[-1] and not decided(ratios):
        ratios.append(ratio * (1 + bias) * math.exp(chance.gauss(0, deviation)))
    return turns(ratios, looks).answer


def turns(ratios: Sequence[float], looks: Sequence[int]) -> Comparison:
    (found,) = compare(paired_rows(ratios, looks)).comparisons
    return found


def paired_rows(ratios: Sequence[float], looks: Sequence[int]) -> list[Row]:
    """The two rows of an INTERLEAVED task whose processes found these ratios of p50."""
    runs = tuple(PairedRun(index, False, {"p50_ms": value}) for index, value in enumerate(ratios))
    pair = Interleaved(runs, tuple(looks), margin=MARGIN, confidence=interleaved.CONFIDENCE)
    rows = []
    for index, key in enumerate(("base", "candidate")):
        single = made(index + 1, key, [{"p50_ms": 10.0}])
        subject = replace(single.measurement, subject_index=index)
        placed = replace(
            single, measurement=subject, schedule=Schedule.INTERLEAVED, variant_key=key, task_id=1, job_id=1
        )
        rows.append(replace(placed, interleaved=pair if index else None))
    return rows


def tails(chance: random.Random, number: int, *, engine: str = "a", scale: float = 1.0) -> Row:
    """p99 of each process, from skewed samples; benches of this device hardly move."""
    level = 10.0 * math.exp(chance.gauss(0, 0.002))
    values = []
    for _ in range(RUNS):
        samples = sorted(level * (1 + 0.02 * scale * chance.gammavariate(2.0, 1.0)) for _ in range(SAMPLES))
        values.append({"p50_ms": nearest_rank(samples, 0.5), "p99_ms": nearest_rank(samples, 0.99)})
    return made(number, engine, values)


def planted_tail(chance: random.Random, scale: float) -> Comparison:
    rows = [tails(chance, 1), tails(chance, 2, engine="b", scale=scale)]
    history = [tails(chance, 10 + index) for index in range(8)]
    (found,) = compare(rows, history=history, metric="p99_ms").comparisons
    return found


DEVICES = (
    NoisyDevice(0.003, 0.003, 0),
    NoisyDevice(0.003, 0.003, 8),
    NoisyDevice(0.01, 0.01, 0),
    NoisyDevice(0.01, 0.003, 12),
    NoisyDevice(0.02, 0.02, 0),
    NoisyDevice(0.05, 0.05, 0),
    NoisyDevice(0.05, 0.02, 8),
)
LOOKS = interleaved.LOOKS.at


def figures(tiny: bool) -> Iterator[Figure]:
    trials = 100 if tiny else 4_000
    for device in DEVICES:
        right = rate(partial(answer, device, slowdown=0.05), {Answer.SLOWER}, trials // 4)
        yield apart(
            f"A/A told apart, {device}", partial(answer, device, slowdown=0.0), trials, f"5 % told in {right:.0%}"
        )
    for deviation in (0.003, 0.006, 0.01, 0.015, 0.023):
        ask = partial(in_turns, deviation=deviation, looks=LOOKS)
        name = f"in turns, ratios move by {deviation:.1%}"
        for bias in (0.0, interleaved.BIAS):
            yield apart(f"A/A told apart {name}, bias {bias:.1%}", partial(ask, ratio=1.0, bias=bias), trials)
        for ratio in (1.02, 1.05):
            right = rate(partial(ask, ratio=ratio, bias=0.0), {Answer.SLOWER}, trials)
            yield Figure(f"{ratio - 1:.0%} told {name}", 100 * right, "%")
    yield from tail_figures(60 if tiny else 600)
    yield cost(200 if tiny else 20_000)


def apart(what: str, ask: partial[Answer], trials: int, note: str = "") -> Figure:
    """How often equal ones are called different; the note has the simulation's own error."""
    wrong = rate(ask, DIFFERENT, trials)
    low, high = Proportion(wrong, trials).interval()
    told = f"{round(wrong * trials)} of {trials}: {low:.2%} to {high:.2%} (95 %)"
    bar = 100 * at_most(0.01, trials)
    return Figure(what, 100 * wrong, "%", at_most=bar, note=f"{told}; {note}" if note else told)


def rate(ask: partial[Answer], wanted: set[Answer], trials: int) -> float:
    chance = random.Random(0)
    return sum(ask(chance=chance) in wanted for _ in range(trials)) / trials


def at_most(share: float, trials: int) -> float:
    """What a rate of `share` does not exceed in so many trials but in one of a thousand."""
    return share + 3.1 * math.sqrt(share * (1 - share) / trials)


def tail_figures(trials: int) -> Iterator[Figure]:
    """A tail that is a twentieth longer; and what was claimed to be told in four of five cases, planted."""
    chance = random.Random(0)
    found = [planted_tail(chance, 1.43) for _ in range(trials)]
    told = sum(item.answer is Answer.SLOWER for item in found) / trials
    seen = fmean(item.effect.smallest for item in found if item.effect and item.effect.smallest)
    moved = fmean(item.ratio.value for item in found if item.ratio and item.ratio.value) - 1
    note = f"p99 moved by {moved:.1%}; claimed to be told in 80 %: {seen:.1%}"
    yield Figure("planted p99 told by --metric p99_ms", 100 * told, "%", note=note)
    scale = 1 + 0.43 * seen / moved
    told = sum(planted_tail(chance, scale).answer is Answer.SLOWER for _ in range(trials)) / trials
    yield Figure("what is claimed to be told in 80 % is", 100 * told, "%", at_least=70, at_most=90)


def cost(rows: int) -> Figure:
    device, chance = NoisyDevice(0.003, 0.003, 0), random.Random(0)
    benches = [
        replace(device.bench(chance, index + 1), job_id=1 + index % 2, variant_key=f"v{index // 2}")
        for index in range(rows)
    ]
    begin = time.perf_counter()
    compare(benches)
    return Figure(f"compare, of each of {rows} rows", 1e6 * (time.perf_counter() - begin) / rows, "us")


if __name__ == "__main__":
    main("answers", figures)
