"""The public, documented interface of the database: views that people query. Tables may change, these may only grow.

`controller query` and every SQLite client see them. A number that cannot be supported is NULL, with its reason beside
it; `provenance` is in every view that holds numbers, so that nobody mixes SIMULATED with MEASURED unknowingly.
"""

from jetfleet.board_settings import POWER_MODE
from jetfleet.circumstances import NAMES as CIRCUMSTANCES
from jetfleet.metrics import METRICS

_METRIC = "(SELECT {part} FROM metric WHERE measurement_id = m.id AND name = '{name}') AS {column}{unit}"
_PARTS = {"value": "value", "low": "low", "high": "high", "reason": "nullif(reason, '')"}


def _comment(unit: str, part: str) -> str:
    """What `.schema` shows beside a column."""
    return "" if part == "reason" else f" /* {unit} */"


# Looked up one by one: a query pays for those that it names, however many there are.
_METRIC_COLUMNS = ",\n       ".join(
    _METRIC.replace("{part}", _PARTS[part])
    .replace("{name}", metric.name)
    .replace("{column}", column)
    .replace("{unit}", _comment(metric.unit, part))
    for metric in METRICS
    for part, column in zip(metric.parts, metric.columns, strict=True)
)

_CIRCUMSTANCE = {name: f"json_extract(m.circumstances, '$.{name}')" for name in CIRCUMSTANCES}
_CIRCUMSTANCE[POWER_MODE] = f"coalesce({_CIRCUMSTANCE[POWER_MODE]}, json_extract(x.content, '$.{POWER_MODE}'))"
_CIRCUMSTANCE_COLUMNS = ", ".join(f"{value} AS {name}" for name, value in _CIRCUMSTANCE.items())
# No view can compute a digest: what was found when a row was read, by the controller or by fsck, stands beside it.
_VERDICT = "CASE WHEN m.damage = '' THEN m.verdict ELSE 'DAMAGED' END AS verdict"

V_RESULTS = (
    """
CREATE VIEW v_results AS
SELECT m.id AS measurement_id, m.task_id, m.job_id, j.name AS job, j.model_name AS model, v.key AS variant,
       d.name AS device, v.runtime, coalesce(e.runtime_version, (
         SELECT e0.runtime_version FROM subject s0 JOIN engine e0 ON e0.key = s0.engine_key
         WHERE s0.task_id = m.task_id AND s0.idx = 0
       )) AS runtime_version,
       v.precision, v.batch, coalesce(s.placement, v.placement) AS placement, m.provenance, {verdict}, m.n,
       {metrics},
       {circumstances},
       m.accuracy_n, m.warmup_s, m.warmup_n, m.window_s, m.processes, m.repeats,
       (SELECT group_concat(f.kind || ': ' || f.evidence, '; ') FROM (
         SELECT 'DAMAGED' AS kind, m.damage AS evidence WHERE m.damage != ''
         UNION ALL SELECT kind, evidence FROM flag WHERE measurement_id = m.id
       ) f) AS flags,
       (SELECT min(c.passed) FROM output_check c WHERE c.measurement_id = m.id) AS outputs_ok,
       m.measured_at, m.engine_key, m.samples_sha256, m.subject_idx AS subject_index,
       coalesce(k.schedule, 'ALONE') AS schedule, coalesce(json_extract(j.measure, '$.mode'), 'latency') AS mode,
       e.lowering,
       (SELECT json_extract(a.value, '$.sha256') FROM json_each(v.content, '$.artifacts') a
        WHERE json_extract(a.value, '$.role') = 'model-fp32') AS model_sha256,
       json_extract(j.labels, '$.commit') AS "commit", json_extract(j.labels, '$.branch') AS branch,
       coalesce(json_extract(v.content, '$.settings'), '{}') AS settings,
       json_extract(v.content, '$.options') AS options, j.labels, x.content AS facts
FROM measurement m
JOIN job j ON j.id = m.job_id
JOIN device d ON d.id = m.device_id
JOIN facts x ON x.id = m.facts_id
LEFT JOIN variant v ON v.id = m.variant_id
LEFT JOIN engine e ON e.key = m.engine_key
LEFT JOIN task k ON k.id = m.task_id
LEFT JOIN subject s ON s.task_id = m.task_id AND s.idx = m.subject_idx
""".replace("{metrics}", _METRIC_COLUMNS)
    .replace("{circumstances}", _CIRCUMSTANCE_COLUMNS)
    .replace("{verdict}", _VERDICT)
)

V_ROUNDS = """
CREATE VIEW v_rounds AS
SELECT r.measurement_id, m.job_id, v.key AS variant, d.name AS device, m.provenance, {verdict},
       r.idx, r.n, r.p50_ms, r.mean_ms, m.subject_idx AS subject_index, r.run
FROM round r
JOIN measurement m ON m.id = r.measurement_id
JOIN device d ON d.id = m.device_id
LEFT JOIN variant v ON v.id = m.variant_id
""".replace("{verdict}", _VERDICT)

V_RATIOS = """
CREATE VIEW v_ratios AS
SELECT r.task_id, k.job_id, base.key AS base, candidate.key AS variant, d.name AS device, r.run, r.name AS metric,
       r.value AS ratio, r.second_loaded_first, nullif(r.left_out, '') AS left_out, i.margin, i.confidence, i.stopped
FROM ratio r
JOIN interleaved i ON i.task_id = r.task_id
JOIN task k ON k.id = r.task_id
LEFT JOIN subject s0 ON s0.task_id = r.task_id AND s0.idx = 0
LEFT JOIN variant base ON base.id = s0.variant_id
LEFT JOIN subject s1 ON s1.task_id = r.task_id AND s1.idx = 1
LEFT JOIN variant candidate ON candidate.id = s1.variant_id
LEFT JOIN device d ON d.id = k.device_id
"""
_RUN_METRICS = ",\n       ".join(
    f"json_extract(r.content, '$.metrics.{metric.name}') AS {metric.name}" for metric in METRICS
)

V_RUNS = """
CREATE VIEW v_runs AS
SELECT r.measurement_id, m.task_id, m.job_id, v.key AS variant, d.name AS device, m.provenance, {verdict},
       m.subject_idx AS subject_index, r.idx AS run, json_extract(r.content, '$.void_reason') = '' AS counts,
       nullif(json_extract(r.content, '$.void_reason'), '') AS void_reason, json_extract(r.content, '$.n') AS n,
       json_extract(r.content, '$.load_s') AS load_s, json_extract(r.content, '$.warmup_s') AS warmup_s,
       json_extract(r.content, '$.warmup_n') AS warmup_n, json_extract(r.content, '$.window_s') AS window_s,
       json_extract(r.content, '$.within_low_ms') AS within_low_ms,
       json_extract(r.content, '$.within_high_ms') AS within_high_ms,
       {metrics},
       (SELECT group_concat(json_extract(f.value, '$.kind') || ': ' || json_extract(f.value, '$.evidence'), '; ')
        FROM json_each(r.content, '$.flags') f) AS flags,
       json_extract(r.content, '$.samples.sha256') AS samples_sha256
FROM run r
JOIN measurement m ON m.id = r.measurement_id
JOIN device d ON d.id = m.device_id
LEFT JOIN variant v ON v.id = m.variant_id
""".replace("{metrics}", _RUN_METRICS).replace("{verdict}", _VERDICT)

# Variants of one recipe that was built several times differ in one part of their key.
V_BUILDS = """
CREATE VIEW v_builds AS
SELECT m.job_id, coalesce(
         replace(v.key, '-build_' || (json_extract(v.content, '$.repeat') + 1), ''), v.key
       ) AS variant, d.name AS device, m.provenance, m.subject_idx AS subject_index,
       count(DISTINCT m.engine_key) AS builds, sum(m.verdict = 'VALID' AND m.damage = '') AS valid,
       avg(p.value) AS p50_ms, min(p.value) AS lowest_ms, max(p.value) AS highest_ms,
       (max(p.value) - min(p.value)) / avg(p.value) AS spread
FROM measurement m
JOIN variant v ON v.id = m.variant_id
JOIN device d ON d.id = m.device_id
JOIN metric p ON p.measurement_id = m.id AND p.name = 'p50_ms'
GROUP BY m.job_id, 2, m.device_id, m.provenance, m.subject_idx
HAVING count(DISTINCT m.engine_key) > 1
"""

V_ENGINES = """
CREATE VIEW v_engines AS
SELECT e.key AS engine_key, e.runtime, e.runtime_version, e.precision, e.lowering, e.placement,
       e.sha256 IS NOT NULL AS built, e.sha256, e.size_bytes, e.build_s, e.power_mode, e.built_at,
       d.name AS built_on, e.class_key AS device_class, e.class_fields,
       coalesce(json_extract(e.report, '$.peak_rss_bytes'), a.peak_rss_bytes) AS peak_rss_bytes,
       json_extract(e.report, '$.peak_device_bytes') AS peak_device_bytes,
       json_extract(e.report, '$.device_memory_bytes') AS device_memory_bytes,
       json_extract(e.report, '$.tactics_skipped') AS tactics_skipped,
       json_array_length(e.report, '$.timing_cache.handed') AS timing_caches_handed,
       json_extract(e.report, '$.timing_cache.hits') AS timing_cache_hits,
       json_extract(e.report, '$.timing_cache.misses') AS timing_cache_misses,
       json_extract(e.report, '$.dla.layers_on_dla') AS layers_on_dla,
       json_extract(e.report, '$.dla.layers_on_gpu') AS layers_on_gpu,
       json_extract(e.report, '$.dla.subgraphs') AS dla_subgraphs,
       json_extract(e.report, '$.dla.fallbacks') AS dla_fallbacks,
       json_extract(e.report, '$.warnings') AS build_warnings
FROM engine e
LEFT JOIN attempt a ON a.token = e.built_by
LEFT JOIN device d ON d.id = a.device_id
"""

V_DEVICES = """
CREATE VIEW v_devices AS
SELECT d.id AS device_id, d.name AS device, d.hardware_serial, d.cordoned, d.first_seen_at, d.last_seen_at,
       s.boot_id, s.bench_domain, s.agent_version,
       json_extract(x.content, '$.arch') AS arch, json_extract(x.content, '$.os') AS os,
       json_extract(x.content, '$.cpu_model') AS cpu_model, json_extract(x.content, '$.cpu_count') AS cpu_count,
       json_extract(x.content, '$.memory_bytes') AS memory_bytes, json_extract(x.content, '$.sku') AS sku,
       json_extract(x.content, '$.jetpack') AS jetpack, json_extract(x.content, '$.power_mode') AS power_mode,
       x.content AS facts
FROM device d
JOIN facts x ON x.id = d.facts_id
LEFT JOIN session s ON s.id = d.session_id
"""

V_ATTEMPTS = """
CREATE VIEW v_attempts AS
SELECT a.token AS attempt, a.task_id, k.kind, k.name AS task, k.job_id, a.number, a.state, d.name AS device,
       a.leased_at, a.started_at, a.ended_at, a.failure_kind, a.failure_message, a.phase, a.exit_code, a.signal,
       a.peak_rss_bytes,
       (SELECT l.sha256 FROM attempt_artifact l WHERE l.attempt_token = a.token AND l.role = 'log') AS log_sha256,
       (SELECT nullif(j.submitted_by, '') FROM job j WHERE j.id = k.job_id) AS submitted_by,
       k.engine_key, x.content AS facts
FROM attempt a
JOIN task k ON k.id = a.task_id
JOIN device d ON d.id = a.device_id
LEFT JOIN facts x ON x.id = a.facts_id
"""

VIEWS = {
    "v_results": V_RESULTS,
    "v_rounds": V_ROUNDS,
    "v_ratios": V_RATIOS,
    "v_runs": V_RUNS,
    "v_builds": V_BUILDS,
    "v_engines": V_ENGINES,
    "v_devices": V_DEVICES,
    "v_attempts": V_ATTEMPTS,
}
