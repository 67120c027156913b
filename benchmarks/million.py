"""A database of very many measurements, made by SQL: repeats of 20 variants on 25 boards, a job for each 500."""

import json
import sqlite3
from pathlib import Path

from controller.model.codec import dump
from controller.model.job import CheckRule, Lowering, OutputCheck, Precision, Variant
from controller.model.task import Recipe
from controller.store.sqlite.database import FILE_NAME, open_database
from jetfleet.metrics import METRICS

VARIANTS, DEVICES = 20, 25
PER_JOB = VARIANTS * DEVICES
_NOW = "2026-01-01T00:00:00.000+00:00"

_VARIANT = Variant("", "onnxruntime", Precision.FP32, 1, "cpu", (), (), OutputCheck(CheckRule.CLOSE))
_RECIPE = Recipe("onnxruntime", "1.20.0", Precision.FP32, Lowering.TYPED_GRAPH, "cpu", (), ())

# `:n` counts from 0. Every fiftieth measurement is not VALID.
_FILL = (
    "INSERT INTO facts (id, content)"
    " SELECT n + 1, json_object('arch', 'aarch64', 'hostname', 'host-' || n) FROM device_n",
    "INSERT INTO device (id, name, hardware_serial, facts_id, first_seen_at, last_seen_at)"
    " SELECT 'stored-' || n, 'stored-' || n, '', n + 1, :now, :now FROM device_n",
    "INSERT INTO engine (key, runtime, runtime_version, precision, lowering, placement, recipe, class_key,"
    " class_fields) SELECT printf('%064x', n + 1), 'onnxruntime', '1.20.0', 'fp32', 'typed-graph', 'cpu', :recipe, '',"
    " '{}' FROM variant_n",
    "INSERT INTO job (id, idempotency_key, name, model_name, priority, measure, build_limit_s, bench_limit_s, source,"
    " created_at) SELECT n + 1, 'key-' || n, 'nightly', 'model', 0, '{}', 1, 1, '', :now FROM job_n",
    "INSERT INTO variant (id, job_id, key, runtime, precision, batch, placement, content)"
    " SELECT j.n * :variants + v.n + 1, j.n + 1, v.key, 'onnxruntime', 'fp32', v.n + 1, 'cpu',"
    " json_set(:variant, '$.key', v.key, '$.batch', v.n + 1)"
    " FROM job_n j, (SELECT n, 'onnxruntime-fp32-b' || (n + 1) || '-cpu' AS key FROM variant_n) v",
    "INSERT INTO measurement (id, task_id, attempt_token, job_id, subject_idx, variant_id, engine_key, device_id,"
    " facts_id, measured_at, provenance, verdict, n, window_s, warmup_s, warmup_n, processes, accuracy_n)"
    " SELECT m.id, m.id, 'token-' || m.id, m.j + 1, 0, m.j * :variants + m.v + 1, printf('%064x', m.v + 1),"
    " 'stored-' || m.d, m.d + 1, :now, 'MEASURED', iif(m.id % 50, 'VALID', 'UNSTABLE'), 500, 1.0, 0.5, 100, 1, 0 FROM"
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


def fill(state: Path, count: int) -> None:
    """Measurements, half of them with rounds, with their tasks and subjects, two jobs with all metrics; no attempts."""
    open_database(state).dispose()
    database = sqlite3.connect(state / FILE_NAME)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -400000")
    for name, size in (("job", count // PER_JOB), ("variant", VARIANTS), ("device", DEVICES)):
        database.execute(f"CREATE TEMP TABLE {name}_n (n INTEGER PRIMARY KEY)")
        database.executemany(f"INSERT INTO {name}_n VALUES (?)", ((number,) for number in range(size)))
    values = {
        "now": _NOW,
        "variants": VARIANTS,
        "devices": DEVICES,
        "per_job": PER_JOB,
        "rounds_after": max(0, count // 2 - 2 * PER_JOB),
        "jobs": count // PER_JOB,
        "metrics": json.dumps([metric.name for metric in METRICS]),  # as many as a GPU has
        "variant": dump(_VARIANT),
        "recipe": dump(_RECIPE),
    }
    for statement in _FILL:
        database.execute(statement, values)
    database.commit()
    database.close()
