"""The noise of a device level by level: from round to round inside a process, from process to process, from bench to
bench, from build to build. Each is the spread of one value of that level about its own group, pooled over all groups.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeAlias

from controller.analysis.noise_floor import DRIFT_OVER_RUNS, Noise, floor_of, repeatability_limit
from controller.analysis.runs import run_values, single_value
from controller.model.noise import DeviceNoise, NoiseLevel
from controller.model.result import OF_THE_MACHINE, VALID, Provenance, Row, verdict
from jetfleet.stats.repeats import Pooled, between_benches
from jetfleet.stats.welch import Variance, log_mean

_ROUNDS = "medians of rounds inside one process, which share its memory and its clocks"
_RUNS = "fresh processes of one bench, one after another"
_BENCHES = "benches of the same engine at different times"
_ONE_PROCESS = "benches of one process each"
_BUILDS = "builds of one variant, each benched by the same job (repeat_builds)"


def device_noise(device: str, rows: Sequence[Row], metric: str, *, provenance: Provenance) -> DeviceNoise:
    """Of the rows of that device and provenance. Levels are of all that have nothing but the machine's noise against
    them; the floor is of VALID ones, which `compare` ranks.
    """
    own = [row for row in rows if row.device == device and row.measurement.provenance is provenance]
    taken = [row for row in own if verdict({flag.kind for flag in row.measurement.flags} - OF_THE_MACHINE) == VALID]
    noise = Noise(taken, metric, despite=OF_THE_MACHINE)
    valid = Noise(taken, metric)
    learnt = valid.of_device(device, provenance, several_runs=True)
    several = noise.of_device(device, provenance, several_runs=True)
    single = noise.of_device(device, provenance, several_runs=False)
    rounds, runs = _pooled(_rounds(taken) if metric == "p50_ms" else ()), _pooled(_runs(taken, metric))
    between = between_benches(learnt, assumed=DRIFT_OVER_RUNS * math.sqrt(runs.total))
    return DeviceNoise(
        device=device,
        provenance=provenance,
        metric=metric,
        levels=(
            _level("round", _ROUNDS, rounds),
            _level("run", _RUNS, runs),
            _level("bench", _BENCHES, several),
            _level("bench of one process", _ONE_PROCESS, single),
            _level("build", _BUILDS, _pooled(values.values() for values in builds(taken, metric).values())),
        ),
        floor=floor_of(between, learnt, device, untaught=valid.untaught(device, provenance)),
        flagged=sum(row.measurement.verdict != VALID for row in taken),
        left_out=len(own) - len(taken),
    )


def _rounds(rows: Iterable[Row]) -> Iterator[list[float]]:
    for row in rows:
        by_run: dict[int, list[float]] = {}
        for item in row.measurement.rounds:
            if item.p50_ms > 0:
                by_run.setdefault(item.run, []).append(item.p50_ms)
        yield from by_run.values()


def _runs(rows: Iterable[Row], metric: str) -> Iterator[list[float]]:
    return (run_values(row, metric) for row in rows)


BuiltThing: TypeAlias = tuple[int, str, str, str]  # job, variant without its build, subject, device


def builds(rows: Iterable[Row], metric: str) -> dict[BuiltThing, dict[str, float]]:
    """The newest value of each engine of what a job built more than once."""
    found: dict[BuiltThing, dict[str, float]] = {}
    for row in sorted(rows, key=lambda row: row.measurement_id):
        value = single_value(row, metric)
        if value is not None:
            thing = (row.job_id, row.built_variant, row.part, row.device)
            found.setdefault(thing, {})[row.engine_key] = value
    return {thing: values for thing, values in found.items() if len(values) > 1}


def _pooled(groups: Iterable[Collection[float]]) -> Pooled:
    found = Pooled()
    for values in groups:
        if len(values) > 1:
            group = log_mean(list(values))
            squares = group.variance * (group.n - 1)
            found = Pooled(found.benches + group.n, found.things + 1, found.squares + squares)
    return found


def _level(name: str, meaning: str, pooled: Pooled) -> NoiseLevel:
    if not pooled.freedom:
        return NoiseLevel(name, meaning, 0, 0, None, None)
    deviation = math.sqrt(pooled.total)
    limit = repeatability_limit(Variance(pooled.total, pooled.freedom))
    return NoiseLevel(name, meaning, pooled.benches, pooled.things, deviation, limit)
