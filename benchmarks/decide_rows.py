"""Deciding once the rows are here: `recommend` of a million, `compare` of two jobs. Fetching them is the bar query."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from benchmarks.figure import Figure, main
from controller.analysis.compare import compare
from controller.analysis.recommendation.recommend import recommend
from controller.model.quantities import read_goals
from controller.model.result import Estimate, Row
from testing.measurements import row
from testing.processes import BrokenRun

_VARIANTS, _DEVICES = 20, 25
_BAR_S = 2.0
_GOALS = read_goals("latency", {"p99_ms": 33.0}, where="bench")


def decide_rows(tiny: bool) -> list[Figure]:
    count = 1000 if tiny else 1_000_000
    rows = _rows(count)
    decided = _median_s(lambda: recommend(rows, _GOALS), 1 if tiny else 3)
    few = rows[: 2 * _VARIANTS * _DEVICES]
    compared = _median_s(lambda: compare(few), 1 if tiny else 5)
    return [
        Figure(f"recommend, of {count} rows", decided, "s", at_most=_BAR_S, note="in memory"),
        Figure(f"compare, of {len(few)} rows", compared, "s", at_most=_BAR_S, note="two jobs, in memory"),
    ]


def _rows(count: int) -> list[Row]:
    """Repeats of 20 variants on boards of four classes."""
    noise = random.Random(1)
    facts = [{"arch": "aarch64", "sku": f"board-{kind}", "l4t": "36.4", "power_mode": "15W"} for kind in range(4)]
    templates = []
    for index in range(_VARIANTS * _DEVICES):
        variant, device = index % _VARIANTS, index // _VARIANTS
        p50_ms = 5.0 + variant + noise.random()
        made = row(variant=f"tensorrt-fp16-b{variant + 1}-gpu", facts=facts[device % 4])
        metrics = {"p50_ms": Estimate(p50_ms, 0.99 * p50_ms, 1.01 * p50_ms), "p99_ms": Estimate(p50_ms, p50_ms, p50_ms)}
        measurement = replace(made.measurement, metrics=metrics)
        templates.append(replace(made, device=f"nano-{device}", measurement=measurement))
    return [
        replace(templates[number % len(templates)], measurement_id=number + 1, job_id=1 + number // len(templates))
        for number in range(count)
    ]


def _median_s(decide: Callable[[], object], rounds: int) -> float:
    taken: Sequence[float] = [_seconds(decide) for _ in range(rounds)]
    return median(taken)


def _seconds(decide: Callable[[], object]) -> float:
    begin = time.perf_counter()
    if not decide():
        raise BrokenRun("nothing was decided")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main("decide_rows", decide_rows)
