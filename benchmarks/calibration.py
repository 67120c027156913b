"""Whether the intervals hold: the same measurement again and again through the whole product, quiet and beside a load.

Of every pair of VALID rows it is counted whether their 95 % intervals of p50 have nothing in common, and how often
one's p50 lies outside of the other's interval. Rows that are not VALID say so themselves, and are counted beside.
"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import onnx

from benchmarks.figure import Figure, main
from benchmarks.gpu import part
from benchmarks.harness import chain_model
from benchmarks.processes import agent, controller, scratch
from controller import Client
from controller.model.result import VALID, Measurement

_KINDS: Mapping[str, dict[str, Any]] = {
    "CPU, one thread": {"placement": "cpu", "options": {"onnxruntime": {"threads": 1}}},
    "CPU, all threads": {"placement": "cpu"},
    "GPU": {"placement": "gpu"},
}
_TRIED = (("CPU, one thread", 0), ("GPU", 2))  # where only the program is tried
_LOAD = "while True: sum(range(100000))"
_PAIRS = 12  # measurements of each kind: 66 pairs


@dataclass(frozen=True)
class EqualMeasurements:
    """The rows of one measurement that was made again and again, and how long each took from submit to result."""

    rows: Sequence[Measurement]
    took_s: Sequence[float]

    @property
    def valid(self) -> list[Measurement]:
        return [row for row in self.rows if row.verdict == VALID and row.p50_ms.low is not None]

    def shares(self) -> tuple[float, float] | None:
        """Of pairs of VALID rows: disjoint intervals, and a p50 outside of the other's interval."""
        pairs = list(combinations(self.valid, 2))
        if not pairs:
            return None
        apart = sum(_are_disjoint(first, second) for first, second in pairs)
        both_ways = [*pairs, *((second, first) for first, second in pairs)]
        outside = sum(not _holds(first, second) for first, second in both_ways)
        return apart / len(pairs), outside / (2 * len(pairs))

    def told(self) -> str:
        verdicts = ", ".join(f"{count} {name}" for name, count in Counter(row.verdict for row in self.rows).items())
        medians = [row.p50_ms.value or 0.0 for row in self.rows]
        spread = stdev(medians) / fmean(medians) if len(medians) > 1 else 0.0
        widths = [_half_width(row) for row in self.valid]
        width = f", intervals +-{median(widths):.2%}" if widths else ""
        return f"{verdicts}; p50 {median(medians):.4g} ms, repeats differ by {spread:.2%}{width}"


def _half_width(row: Measurement) -> float:
    """Relative to p50."""
    return ((row.p50_ms.high or 0.0) - (row.p50_ms.low or 0.0)) / 2 / (row.p50_ms.value or 1.0)


def _are_disjoint(first: Measurement, second: Measurement) -> bool:
    above, below = first.p50_ms, second.p50_ms
    return (above.low or 0) > (below.high or 0) or (below.low or 0) > (above.high or 0)


def _holds(first: Measurement, second: Measurement) -> bool:
    """Whether the interval of the first has the p50 of the second in it."""
    return (first.p50_ms.low or 0) <= (second.p50_ms.value or 0) <= (first.p50_ms.high or 0)


def calibration(tiny: bool) -> Iterator[Figure]:
    with scratch() as folder, controller(folder) as served, agent(served, folder):
        onnx.save(chain_model(), folder / "chain.onnx")
        with served.client() as client:
            for kind, load in _TRIED if tiny else product(_KINDS, (0, 2)):
                what = f"{kind}, {'beside a load' if load else 'quiet'}"
                with _loaded(load):
                    yield from part(what, partial(_figures, what, client, folder, _KINDS[kind], tiny=tiny))


def _figures(what: str, client: Client, folder: Path, arguments: dict[str, Any], *, tiny: bool) -> Iterator[Figure]:
    found = _repeats(client, folder / "chain.onnx", arguments, tiny=tiny)
    shares, note = found.shares(), found.told()
    if shares is None:
        yield Figure(f"disjoint intervals of VALID pairs, {what}", None, "%", note=note)
    else:
        yield Figure(f"disjoint intervals of VALID pairs, {what}", 100 * shares[0], "%", at_most=7, note=note)
        yield Figure(f"p50 outside of the other's interval, {what}", 100 * shares[1], "%")
    yield Figure(f"wall clock of one, {what}", median(found.took_s), "s", at_most=None if "load" in what else 15)


def _repeats(client: Client, model: Path, arguments: dict[str, Any], *, tiny: bool) -> EqualMeasurements:
    measure = {"runs": 2, "warmup_s": 0, "seconds": 0.05, "max_seconds": 0.1} if tiny else {}
    rows, took_s = [], []
    for number in range(2 if tiny else _PAIRS):
        begin = time.monotonic()
        job = client.submit(str(model), measure=measure, name=f"calibration-{number}", **arguments)
        state = job.wait().state
        took_s.append(time.monotonic() - begin)
        results = list(job.results())
        if not results:
            raise RuntimeError(f"job {job.id} ended as {state.value} without a result")
        rows += [row.measurement for row in results]
    return EqualMeasurements(rows, took_s[1:])  # the first had its engine built


@contextmanager
def _loaded(processes: int) -> Iterator[None]:
    """Beside processes that compute and nothing else."""
    running = [subprocess.Popen([sys.executable, "-c", _LOAD]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main("calibration", calibration)
