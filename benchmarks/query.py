"""Asking a large database: the rows of one job and of its baseline among a million, while boards renew."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from statistics import median

from benchmarks.agents import agents, put_engine
from benchmarks.figure import Figure, main, percentile
from benchmarks.processes import controller, scratch
from controller.model.codec import dump
from controller.model.job import CheckRule, OutputCheck, Precision, Variant
from controller.model.view import ResultQuery
from controller.store.sqlite.database import FILE_NAME, open_database
from jetfleet.metrics import METRICS
from testing.processes import BrokenRun, ControllerProcess

_VARIANTS, _DEVICES = 20, 25
_PER_JOB = _VARIANTS * _DEVICES
_BOARDS = 50
_NOW = "2026-01-01T00:00:00.000+00:00"

_VARIANT = Variant("", "onnxruntime", Precision.FP32, 1, "cpu", (), (), OutputCheck(CheckRule.CLOSE))

# `:n` counts from 0. Every fiftieth measurement is not VALID.
_FILL = (
    "INSERT INTO facts (id, content)"
    " SELECT n + 1, json_object('arch', 'aarch64', 'hostname', 'host-' || n) FROM device_n",
    "INSERT INTO device (id, name, hardware_serial, facts_id, first_seen_at, last_seen_at)"
    " SELECT 'stored-' || n, 'stored-' || n, '', n + 1, :now, :now FROM device_n",
    "INSERT INTO engine (key, runtime, runtime_version, precision, lowering, placement, recipe, class_key,"
    " class_fields) SELECT 'engine-' || n, 'onnxruntime', '1.20.0', 'fp32', 'typed-graph', 'cpu', '{}', '', '{}'"
    " FROM variant_n",
    "INSERT INTO job (id, idempotency_key, name, model_name, priority, measure, build_limit_s, bench_limit_s, source,"
    " created_at) SELECT n + 1, 'key-' || n, 'nightly', 'model', 0, '{}', 1, 1, '', :now FROM job_n",
    "INSERT INTO variant (id, job_id, key, runtime, precision, batch, placement, content)"
    " SELECT j.n * :variants + v.n + 1, j.n + 1, 'onnxruntime-fp32-b' || (v.n + 1) || '-cpu', 'onnxruntime', 'fp32',"
    " v.n + 1, 'cpu', :variant FROM job_n j, variant_n v",
    "INSERT INTO measurement (id, task_id, attempt_token, job_id, subject_idx, variant_id, engine_key, device_id,"
    " facts_id, measured_at, provenance, verdict, n, window_s, warmup_s, warmup_n, processes, accuracy_n)"
    " SELECT m.id, m.id, 'token-' || m.id, m.j + 1, 0, m.j * :variants + m.v + 1, 'engine-' || m.v, 'stored-' || m.d,"
    " m.d + 1, :now, 'MEASURED', iif(m.id % 50, 'VALID', 'UNSTABLE'), 500, 1.0, 0.5, 100, 1, 0 FROM"
    " (SELECT j.n AS j, v.n AS v, d.n AS d, j.n * :per_job + v.n * :devices + d.n + 1 AS id"
    " FROM job_n j, variant_n v, device_n d) m",
    "INSERT INTO demand (id, content) VALUES (1, '{}')",
    "INSERT INTO task (id, kind, name, state, job_id, priority, demand_id, time_limit_s, device_id, schedule,"
    " created_at)"
    " SELECT task_id, 'BENCH', 'bench', 'SUCCEEDED', job_id, 0, 1, 1, device_id, 'ALONE', :now FROM measurement",
    "INSERT INTO subject (task_id, idx, variant_id, engine_key, placement, streams, batch)"
    " SELECT task_id, subject_idx, variant_id, engine_key, 'cpu', 1, 1 FROM measurement",
    "INSERT INTO round (measurement_id, idx, n, p50_ms, mean_ms)"
    " SELECT m.id, r.value, 50, 2.0, 2.0 FROM measurement m, json_each('[0, 1, 2, 3, 4]') r WHERE m.id > :rounds_after",
    "INSERT INTO metric (measurement_id, name, value, low, high, reason)"
    " SELECT m.id, n.value, 0.9, 0.8, 1.0, '' FROM measurement m, json_each(:metrics) n"
    " WHERE m.job_id IN (:jobs, :jobs / 2) OR (n.value = 'p50_ms' AND m.id > :rounds_after)",
)


async def query(tiny: bool) -> list[Figure]:
    count, rounds = (2 * _PER_JOB, 2) if tiny else (1_000_000, 10)
    with scratch() as folder:
        state = folder / "state"
        state.mkdir()
        _fill(state, count)
        with controller(folder) as served:
            return await _measure(served, folder, count, rounds)


async def _measure(served: ControllerProcess, folder: Path, count: int, rounds: int) -> list[Figure]:
    last = count // _PER_JOB
    engine = await put_engine(served.address, folder)
    async with agents(served.address, _BOARDS, engine=engine, renew_every_s=0.5) as (_, tally):
        await asyncio.sleep(1)
        quiet = list(tally.renew_ms)
        tally.renew_ms.clear()
        taken = [await asyncio.to_thread(_compare_s, served, (last, last // 2)) for _ in range(rounds)]
        await asyncio.sleep(0.6)
        busy = list(tally.renew_ms)
    return [
        Figure(f"one job and its baseline among {count}", median(taken), "s", at_most=1, note=f"{2 * _PER_JOB} rows"),
        Figure("the slowest of them", max(taken), "s", note=f"of {rounds}"),
        Figure("Renew meanwhile, p99", percentile(busy, 0.99), "ms", at_most=100, note=f"{len(busy)} renews"),
        Figure("Renew before, p99", percentile(quiet, 0.99), "ms", note=f"{len(quiet)} renews"),
    ]


def _compare_s(served: ControllerProcess, job_ids: tuple[int, int]) -> float:
    """Seconds until the latest VALID row per variant and device of both jobs is here, and matched."""
    begin = time.perf_counter()
    with served.client() as client:
        rows = client.results(ResultQuery(job_ids=job_ids, limit=2 * _PER_JOB))
    latest: dict[tuple[int, str, str], float | None] = {}
    for row in rows:
        if row.measurement.verdict == "VALID":
            latest.setdefault((row.job_id, row.variant_key, row.device), row.measurement.p50_ms.value)
    matched = [key for key in latest if key[0] == job_ids[0] and (job_ids[1], *key[1:]) in latest]
    elapsed_s = time.perf_counter() - begin
    if len(rows) != 2 * _PER_JOB or not matched:
        raise BrokenRun(f"{len(rows)} rows and {len(matched)} pairs came back")
    return elapsed_s


def _fill(state: Path, count: int) -> None:
    """Measurements, half of them with rounds, with their tasks and subjects, two jobs with all metrics; no attempts."""
    open_database(state).dispose()
    database = sqlite3.connect(state / FILE_NAME)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -400000")
    for name, size in (("job", count // _PER_JOB), ("variant", _VARIANTS), ("device", _DEVICES)):
        database.execute(f"CREATE TEMP TABLE {name}_n (n INTEGER PRIMARY KEY)")
        database.executemany(f"INSERT INTO {name}_n VALUES (?)", ((number,) for number in range(size)))
    values = {
        "now": _NOW,
        "variants": _VARIANTS,
        "devices": _DEVICES,
        "per_job": _PER_JOB,
        "rounds_after": max(0, count // 2 - 2 * _PER_JOB),
        "jobs": count // _PER_JOB,
        "metrics": json.dumps([metric.name for metric in METRICS]),  # as many as a GPU has
        "variant": dump(_VARIANT),
    }
    for statement in _FILL:
        database.execute(statement, values)
    database.commit()
    database.close()


if __name__ == "__main__":
    main("query", query)
