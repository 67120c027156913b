"""Deciding over a million measurements: `compare` and `recommend` of a job in a database that holds them, and of the
rows themselves once they are here.
"""

import random
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure, main
from benchmarks.million import DEVICES, PER_JOB, VARIANTS, fill
from benchmarks.processes import CONTROLLER, controller, scratch
from controller.analysis.compare import compare
from controller.analysis.recommendation.recommend import recommend
from controller.model.comparison import Axis
from controller.model.quantities import read_goals
from controller.model.result import Estimate, Row
from controller.store.sqlite.database import FILE_NAME
from testing.measurements import row
from testing.processes import BrokenRun, ControllerProcess

_BAR_S = 2.0
_GOALS = read_goals("latency", {"p99_ms": 33.0}, where="bench")

# The first job is of variants and boards that nobody measured since: what is looked for lies behind all the rest.
_FIRST_JOB = (
    "INSERT INTO device (id, name, hardware_serial, facts_id, first_seen_at, last_seen_at)"
    " SELECT 'first-' || id, 'first-' || name, '', facts_id, first_seen_at, last_seen_at FROM device",
    "UPDATE measurement SET device_id = 'first-' || device_id WHERE job_id = 1",
    "UPDATE variant SET key = 'first-' || key, content = json_set(content, '$.key', 'first-' || key) WHERE job_id = 1",
    "INSERT OR IGNORE INTO metric (measurement_id, name, value, low, high, reason)"
    " SELECT measurement_id - :others, name, value, low, high, reason FROM metric WHERE measurement_id > :others",
)


@dataclass(frozen=True)
class _Taken:
    """Seconds by the clock, and of CPU: on a machine with neighbours the two differ."""

    wall_s: float
    cpu_s: float


def decide_rows(tiny: bool) -> Iterator[Figure]:
    yield from _in_memory(1000 if tiny else 1_000_000, 1 if tiny else 5)
    yield from _stored(3 * PER_JOB if tiny else 1_000_000, 1 if tiny else 5)


def _in_memory(count: int, rounds: int) -> Iterator[Figure]:
    rows = _rows(count)
    few, many = rows[: 2 * PER_JOB], rows[: 20 * PER_JOB]
    yield _figure(f"recommend, of {count} rows", "in memory", _median(lambda: recommend(rows, _GOALS), rounds))
    by_variant = _median(lambda: compare(rows, by=Axis.VARIANT), rounds)
    yield _figure(f"compare, of {count} rows", "variants, in memory", by_variant)
    yield _figure(f"compare, of {len(few)} rows", "two jobs, in memory", _median(lambda: compare(few), rounds))
    cells = _median(lambda: compare(many), 1)
    told = f"{len(compare(many).comparisons)} of them, in memory; {cells.cpu_s:.2f} s of CPU"
    yield Figure("compare, of a difference", 1e3 * cells.wall_s / len(compare(many).comparisons), "ms", note=told)


def _stored(count: int, rounds: int) -> Iterator[Figure]:
    """Through the commands as people run them, their start included."""
    last = count // PER_JOB
    job = f"{VARIANTS} variants on {DEVICES} boards"
    with scratch() as folder:
        state = folder / "state"
        state.mkdir()
        fill(state, count)
        _make_first_job(state, others=(last - 1) * PER_JOB)
        with controller(folder) as served:
            for verb in ("compare", "recommend"):
                taken = _median_of([_command(served, verb, last) for _ in range(rounds)])
                yield _figure(f"controller {verb}, of a job among {count} measurements", job, taken)
            first = _median_of([_command(served, "compare", 1) for _ in range(rounds)])
            yield _figure("the same of the first job", "of things that nobody measured since", first)


def _make_first_job(state: Path, *, others: int) -> None:
    database = sqlite3.connect(state / FILE_NAME)
    for statement in _FIRST_JOB:
        database.execute(statement, {"others": others} if ":others" in statement else {})
    database.commit()
    database.close()


def _command(served: ControllerProcess, verb: str, job_id: int) -> _Taken:
    """The CPU is that of the command and of the controller."""

    def cpu_s() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime + served.cpu_s()

    begin, cpu = time.perf_counter(), cpu_s()
    command = [CONTROLLER, "--state", str(served.state_dir), verb, str(job_id)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    taken = _Taken(time.perf_counter() - begin, cpu_s() - cpu)
    if done.returncode or not done.stdout:
        raise BrokenRun(f"controller {verb} {job_id}: {done.stderr}")
    return taken


def _rows(count: int) -> list[Row]:
    """Repeats of 20 variants on boards of four classes."""
    noise = random.Random(1)
    facts = [{"arch": "aarch64", "sku": f"board-{kind}", "l4t": "36.4", "power_mode": "15W"} for kind in range(4)]
    templates = []
    for index in range(PER_JOB):
        variant, device = index % VARIANTS, index // VARIANTS
        p50_ms = 5.0 + variant + noise.random()
        made = row(variant=f"tensorrt-fp16-b{variant + 1}-gpu", facts=facts[device % 4])
        metrics = {"p50_ms": Estimate(p50_ms, 0.99 * p50_ms, 1.01 * p50_ms), "p99_ms": Estimate(p50_ms, p50_ms, p50_ms)}
        measurement = replace(made.measurement, metrics=metrics)
        templates.append(replace(made, device=f"nano-{device}", measurement=measurement))
    return [
        replace(templates[number % len(templates)], measurement_id=number + 1, job_id=1 + number // len(templates))
        for number in range(count)
    ]


def _median(decide: Callable[[], object], rounds: int) -> _Taken:
    return _median_of([_taken(decide) for _ in range(rounds)])


def _median_of(taken: Sequence[_Taken]) -> _Taken:
    return _Taken(median(item.wall_s for item in taken), median(item.cpu_s for item in taken))


def _taken(decide: Callable[[], object]) -> _Taken:
    begin, cpu = time.perf_counter(), time.process_time()
    if not decide():
        raise BrokenRun("nothing was decided")
    return _Taken(time.perf_counter() - begin, time.process_time() - cpu)


def _figure(what: str, note: str, taken: _Taken) -> Figure:
    return Figure(what, taken.wall_s, "s", at_most=_BAR_S, note=f"{note}; {taken.cpu_s:.2f} s of CPU")


if __name__ == "__main__":
    main("decide_rows", decide_rows)
