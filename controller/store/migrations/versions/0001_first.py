"""The schema of 0.1, as it was released. Its views are not here: views.py makes them anew, of whatever version."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """
CREATE TABLE job (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, idempotency_key TEXT NOT NULL, name TEXT NOT NULL,
    model_name TEXT NOT NULL, priority INTEGER NOT NULL, measure TEXT NOT NULL, build_limit_s INTEGER NOT NULL,
    bench_limit_s INTEGER NOT NULL, source TEXT NOT NULL, created_at TEXT NOT NULL, deadline_at TEXT,
    cancel_asked_at TEXT, timed_out_at TEXT, retry_of INTEGER, UNIQUE (idempotency_key),
    FOREIGN KEY(retry_of) REFERENCES job (id)
)
""",
    """
CREATE TABLE facts (
    id INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (id), UNIQUE (content)
)
""",
    """
CREATE TABLE engine (
    "key" TEXT NOT NULL, runtime TEXT NOT NULL, runtime_version TEXT NOT NULL, precision TEXT NOT NULL,
    lowering TEXT NOT NULL, placement TEXT NOT NULL, recipe TEXT NOT NULL, class_key TEXT NOT NULL,
    class_fields TEXT NOT NULL, sha256 TEXT, size_bytes INTEGER, build_s FLOAT, power_mode TEXT, report TEXT,
    built_by TEXT, built_at TEXT, PRIMARY KEY ("key")
)
""",
    """
CREATE TABLE orphan (
    id INTEGER NOT NULL, attempt_token TEXT NOT NULL, reason TEXT NOT NULL, received_at TEXT NOT NULL,
    outcome BLOB NOT NULL, PRIMARY KEY (id), UNIQUE (attempt_token)
)
""",
    """
CREATE TABLE variant (
    id INTEGER NOT NULL, job_id INTEGER NOT NULL, "key" TEXT NOT NULL, runtime TEXT NOT NULL,
    precision TEXT NOT NULL, batch INTEGER NOT NULL, placement TEXT NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (id), UNIQUE (job_id, "key"), FOREIGN KEY(job_id) REFERENCES job (id)
)
""",
    """
CREATE TABLE device (
    id TEXT NOT NULL, name TEXT NOT NULL, hardware_serial TEXT NOT NULL, facts_id INTEGER NOT NULL, session_id TEXT,
    cordoned TEXT DEFAULT '' NOT NULL, first_seen_at TEXT NOT NULL, last_seen_at TEXT NOT NULL, PRIMARY KEY (id),
    UNIQUE (name), FOREIGN KEY(facts_id) REFERENCES facts (id)
)
""",
    """
CREATE TABLE session (
    id TEXT NOT NULL, device_id TEXT NOT NULL, boot_id TEXT NOT NULL, bench_domain TEXT NOT NULL,
    agent_version TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, end_reason TEXT, PRIMARY KEY (id),
    FOREIGN KEY(device_id) REFERENCES device (id)
)
""",
    """
CREATE TABLE task (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
    job_id INTEGER NOT NULL, priority INTEGER NOT NULL, time_limit_s INTEGER NOT NULL, engine_key TEXT,
    device_id TEXT, conditions TEXT, schedule TEXT, because_of INTEGER, created_at TEXT NOT NULL, ended_at TEXT,
    FOREIGN KEY(job_id) REFERENCES job (id), FOREIGN KEY(engine_key) REFERENCES engine ("key"),
    FOREIGN KEY(device_id) REFERENCES device (id), FOREIGN KEY(because_of) REFERENCES task (id)
)
""",
    """
CREATE TABLE job_build (
    job_id INTEGER NOT NULL, task_id INTEGER NOT NULL, PRIMARY KEY (job_id, task_id),
    FOREIGN KEY(job_id) REFERENCES job (id), FOREIGN KEY(task_id) REFERENCES task (id)
)
""",
    """
CREATE TABLE subject (
    task_id INTEGER NOT NULL, idx INTEGER NOT NULL, variant_id INTEGER NOT NULL, engine_key TEXT,
    placement TEXT NOT NULL, streams INTEGER NOT NULL, batch INTEGER NOT NULL, PRIMARY KEY (task_id, idx),
    FOREIGN KEY(task_id) REFERENCES task (id), FOREIGN KEY(variant_id) REFERENCES variant (id),
    FOREIGN KEY(engine_key) REFERENCES engine ("key")
)
""",
    """
CREATE TABLE attempt (
    token TEXT NOT NULL, task_id INTEGER NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL,
    device_id TEXT NOT NULL, session_id TEXT NOT NULL, request_id TEXT NOT NULL, bench_domain TEXT NOT NULL,
    facts_id INTEGER NOT NULL, leased_at TEXT NOT NULL, started_at TEXT, ended_at TEXT, failure_kind TEXT,
    failure_message TEXT, phase TEXT, exit_code INTEGER, signal TEXT, peak_rss_bytes INTEGER, PRIMARY KEY (token),
    UNIQUE (session_id, request_id), UNIQUE (task_id, number), FOREIGN KEY(task_id) REFERENCES task (id),
    FOREIGN KEY(device_id) REFERENCES device (id), FOREIGN KEY(session_id) REFERENCES session (id),
    FOREIGN KEY(facts_id) REFERENCES facts (id)
)
""",
    """
CREATE TABLE timing_cache (
    id INTEGER NOT NULL, class_key TEXT NOT NULL, runtime TEXT NOT NULL, runtime_version TEXT NOT NULL,
    sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL, made_at TEXT NOT NULL, made_by TEXT NOT NULL,
    PRIMARY KEY (id), UNIQUE (class_key, runtime, runtime_version, sha256),
    FOREIGN KEY(made_by) REFERENCES attempt (token)
)
""",
    """
CREATE TABLE attempt_artifact (
    attempt_token TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, PRIMARY KEY (attempt_token, role, name),
    FOREIGN KEY(attempt_token) REFERENCES attempt (token)
)
""",
    """
CREATE TABLE measurement (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, task_id INTEGER NOT NULL, attempt_token TEXT NOT NULL,
    job_id INTEGER NOT NULL, subject_idx INTEGER, variant_id INTEGER, engine_key TEXT, device_id TEXT NOT NULL,
    facts_id INTEGER NOT NULL, measured_at TEXT NOT NULL, provenance TEXT NOT NULL, verdict TEXT NOT NULL,
    n INTEGER NOT NULL, p50_ms FLOAT, p50_ms_low FLOAT, p50_ms_high FLOAT, p90_ms FLOAT, p90_ms_low FLOAT,
    p90_ms_high FLOAT, p99_ms FLOAT, p99_ms_low FLOAT, p99_ms_high FLOAT, p50_reason TEXT NOT NULL,
    p90_reason TEXT NOT NULL, p99_reason TEXT NOT NULL, mean_ms FLOAT, std_ms FLOAT, min_ms FLOAT, max_ms FLOAT,
    throughput_per_s FLOAT, window_s FLOAT NOT NULL, warmup_s FLOAT NOT NULL, warmup_n INTEGER NOT NULL,
    processes INTEGER NOT NULL, accuracy FLOAT, accuracy_n INTEGER NOT NULL, dla_time_share FLOAT,
    samples_sha256 TEXT, samples_bytes INTEGER, FOREIGN KEY(task_id) REFERENCES task (id),
    FOREIGN KEY(attempt_token) REFERENCES attempt (token), FOREIGN KEY(job_id) REFERENCES job (id),
    FOREIGN KEY(variant_id) REFERENCES variant (id), FOREIGN KEY(engine_key) REFERENCES engine ("key"),
    FOREIGN KEY(device_id) REFERENCES device (id), FOREIGN KEY(facts_id) REFERENCES facts (id)
)
""",
    """
CREATE TABLE round (
    measurement_id INTEGER NOT NULL, idx INTEGER NOT NULL, n INTEGER NOT NULL, p50_ms FLOAT NOT NULL,
    mean_ms FLOAT NOT NULL, PRIMARY KEY (measurement_id, idx),
    FOREIGN KEY(measurement_id) REFERENCES measurement (id)
)
""",
    """
CREATE TABLE stage (
    measurement_id INTEGER NOT NULL, idx INTEGER NOT NULL, name TEXT NOT NULL, p50_ms FLOAT NOT NULL,
    mean_ms FLOAT NOT NULL, PRIMARY KEY (measurement_id, idx),
    FOREIGN KEY(measurement_id) REFERENCES measurement (id)
)
""",
    """
CREATE TABLE flag (
    measurement_id INTEGER NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL, evidence TEXT NOT NULL,
    PRIMARY KEY (measurement_id, idx), FOREIGN KEY(measurement_id) REFERENCES measurement (id)
)
""",
    """
CREATE TABLE output_check (
    measurement_id INTEGER NOT NULL, tensor TEXT NOT NULL, passed BOOLEAN NOT NULL, max_abs FLOAT, max_rel FLOAT,
    cosine FLOAT, snr_db FLOAT, top1_agreement FLOAT, equal_share FLOAT, detail TEXT NOT NULL,
    PRIMARY KEY (measurement_id, tensor), FOREIGN KEY(measurement_id) REFERENCES measurement (id)
)
""",
)

INDEXES = (
    "CREATE INDEX job_by_model ON job (model_name)",
    "CREATE INDEX ix_device_session_id ON device (session_id)",
    "CREATE INDEX task_by_job ON task (job_id)",
    "CREATE INDEX task_by_state ON task (state, device_id, priority DESC, job_id, kind DESC, id)",
    "CREATE UNIQUE INDEX one_live_build_per_engine"
    " ON task (engine_key) WHERE kind = 'BUILD' AND state IN ('WAITING', 'READY', 'LEASED')",
    "CREATE INDEX subject_by_engine ON subject (engine_key)",
    "CREATE INDEX ix_subject_variant_id ON subject (variant_id)",
    "CREATE UNIQUE INDEX one_open_attempt_per_task ON attempt (task_id) WHERE state IN ('LEASED', 'RUNNING')",
    "CREATE UNIQUE INDEX one_commit_per_task ON attempt (task_id) WHERE state = 'COMMITTED'",
    "CREATE UNIQUE INDEX one_open_attempt_per_bench_domain"
    " ON attempt (bench_domain) WHERE state IN ('LEASED', 'RUNNING')",
    "CREATE INDEX attempt_by_session ON attempt (session_id, state)",
    "CREATE INDEX measurement_by_job ON measurement (job_id, verdict)",
    "CREATE INDEX measurement_by_variant ON measurement (variant_id, device_id)",
    "CREATE UNIQUE INDEX one_measurement_per_subject ON measurement (task_id, coalesce(subject_idx, -1))",
)


def upgrade() -> None:
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)
