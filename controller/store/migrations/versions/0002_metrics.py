"""Numbers of a measurement become rows of `metric`; output checks judge slices. 0.1 had a column for every number."""

from alembic import op

revision = "0002"
down_revision = "0001"

METRIC = """
CREATE TABLE metric (
    measurement_id INTEGER NOT NULL, name TEXT NOT NULL, value FLOAT, low FLOAT, high FLOAT, reason TEXT NOT NULL,
    PRIMARY KEY (measurement_id, name), FOREIGN KEY(measurement_id) REFERENCES measurement (id)
) WITHOUT ROWID
"""
WITH_INTERVAL = ("p50", "p90", "p99")
KEEP_INTERVAL = """
INSERT INTO metric SELECT id, 'NAME_ms', NAME_ms, NAME_ms_low, NAME_ms_high, NAME_reason
FROM measurement WHERE NAME_ms IS NOT NULL OR NAME_reason != ''
"""
PLAIN = ("mean_ms", "std_ms", "min_ms", "max_ms", "throughput_per_s", "accuracy", "dla_time_share")
KEEP_PLAIN = "INSERT INTO metric SELECT id, 'NAME', NAME, NULL, NULL, '' FROM measurement WHERE NAME IS NOT NULL"
KEEP_STAGES = """
INSERT OR IGNORE INTO metric SELECT measurement_id, name || '_NAME', NAME, NULL, NULL, ''
FROM stage WHERE name IN ('h2d', 'compute', 'd2h', 'enqueue', 'e2e')
"""

MEASUREMENT = """
CREATE TABLE new_measurement (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, task_id INTEGER NOT NULL, attempt_token TEXT NOT NULL,
    job_id INTEGER NOT NULL, subject_idx INTEGER, variant_id INTEGER, engine_key TEXT, device_id TEXT NOT NULL,
    facts_id INTEGER NOT NULL, measured_at TEXT NOT NULL, provenance TEXT NOT NULL, verdict TEXT NOT NULL,
    n INTEGER NOT NULL, window_s FLOAT NOT NULL, warmup_s FLOAT NOT NULL, warmup_n INTEGER NOT NULL,
    processes INTEGER NOT NULL, accuracy_n INTEGER NOT NULL, samples_sha256 TEXT, samples_bytes INTEGER,
    FOREIGN KEY(task_id) REFERENCES task (id), FOREIGN KEY(attempt_token) REFERENCES attempt (token),
    FOREIGN KEY(job_id) REFERENCES job (id), FOREIGN KEY(variant_id) REFERENCES variant (id),
    FOREIGN KEY(engine_key) REFERENCES engine ("key"), FOREIGN KEY(device_id) REFERENCES device (id),
    FOREIGN KEY(facts_id) REFERENCES facts (id)
)
"""
KEEP_MEASUREMENTS = """
INSERT INTO new_measurement
SELECT id, task_id, attempt_token, job_id, subject_idx, variant_id, engine_key, device_id, facts_id, measured_at,
       provenance, verdict, n, window_s, warmup_s, warmup_n, processes, accuracy_n, samples_sha256, samples_bytes
FROM measurement
"""
MEASUREMENT_INDEXES = (
    "CREATE UNIQUE INDEX one_measurement_per_subject ON measurement (task_id, coalesce(subject_idx, -1))",
    "CREATE INDEX measurement_by_job ON measurement (job_id, verdict)",
    "CREATE INDEX measurement_by_variant ON measurement (variant_id, device_id)",
)

OUTPUT_CHECK = """
CREATE TABLE new_output_check (
    measurement_id INTEGER NOT NULL, tensor TEXT NOT NULL, passed BOOLEAN NOT NULL, max_abs FLOAT, max_rel FLOAT,
    cosine FLOAT, snr_db FLOAT, top1_agreement FLOAT, equal_share FLOAT, norm_ratio FLOAT, worst_slice_cosine FLOAT,
    worst_slice_norm_ratio FLOAT, detail TEXT NOT NULL, worst_slice TEXT NOT NULL, weakness TEXT NOT NULL,
    PRIMARY KEY (measurement_id, tensor), FOREIGN KEY(measurement_id) REFERENCES measurement (id)
)
"""
KEEP_CHECKS = """
INSERT INTO new_output_check
SELECT measurement_id, tensor, passed, max_abs, max_rel, cosine, snr_db, top1_agreement, equal_share,
       NULL, NULL, NULL, detail, '', ''
FROM output_check
"""


def upgrade() -> None:
    op.execute(METRIC)
    _keep_numbers()
    op.execute(MEASUREMENT)
    op.execute(KEEP_MEASUREMENTS)
    _replace("measurement")
    for statement in MEASUREMENT_INDEXES:
        op.execute(statement)
    op.execute(OUTPUT_CHECK)
    op.execute(KEEP_CHECKS)
    _replace("output_check")


def _keep_numbers() -> None:
    """What was not measured, and has no reason either, has no row."""
    for names, statement in (
        (WITH_INTERVAL, KEEP_INTERVAL),
        (PLAIN, KEEP_PLAIN),
        (("p50_ms", "mean_ms"), KEEP_STAGES),
    ):
        for name in names:
            op.execute(statement.replace("NAME", name))
    op.execute("DROP TABLE stage")


def _replace(table: str) -> None:
    op.execute(f"DROP TABLE {table}")
    op.execute(f"ALTER TABLE new_{table} RENAME TO {table}")
