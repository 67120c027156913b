"""Tasks refer to what they demand of a device; jobs have labels and a state of being written; a table knows the files.

The demand of a task that 0.1 wrote is derived here from its engine's recipe, or from its variant and its conditions.
"""

import json
from typing import TypeAlias

from alembic import op
from sqlalchemy import Connection, text

revision = "0003"
down_revision = "0002"

Document: TypeAlias = dict[str, object]

DEMAND = "CREATE TABLE demand (id INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (id), UNIQUE (content))"
# What is there is entered when the controller starts.
BLOB = """
CREATE TABLE blob (
    sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL,
    PRIMARY KEY (sha256)
)
"""
TASK = """
CREATE TABLE new_task (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
    job_id INTEGER NOT NULL, priority INTEGER NOT NULL, demand_id INTEGER NOT NULL, time_limit_s INTEGER NOT NULL,
    engine_key TEXT, device_id TEXT, conditions TEXT, schedule TEXT, because_of INTEGER, refusal TEXT,
    created_at TEXT NOT NULL, ended_at TEXT,
    FOREIGN KEY(job_id) REFERENCES job (id), FOREIGN KEY(demand_id) REFERENCES demand (id),
    FOREIGN KEY(engine_key) REFERENCES engine ("key"), FOREIGN KEY(device_id) REFERENCES device (id),
    FOREIGN KEY(because_of) REFERENCES task (id)
)
"""
KEEP_TASKS = """
INSERT INTO new_task
SELECT k.id, k.kind, k.name, k.state, k.job_id, k.priority, w.demand_id, k.time_limit_s, k.engine_key, k.device_id,
       k.conditions, k.schedule, k.because_of, NULL, k.created_at, k.ended_at
FROM task k JOIN wanted w ON w.task_id = k.id
"""
TASK_INDEXES = (
    "CREATE INDEX task_by_state ON task (state, device_id, demand_id, priority DESC, job_id, kind DESC, id)",
    "CREATE INDEX task_by_job ON task (job_id)",
    "CREATE UNIQUE INDEX one_live_build_per_engine ON task (engine_key)"
    " WHERE kind = 'BUILD' AND state IN ('WAITING', 'READY', 'LEASED')",
)
COMMITS = "CREATE UNIQUE INDEX one_commit_per_task ON attempt (task_id) WHERE state IN ('COMMITTED')"
BUILDS = """
SELECT k.id AS task_id, e.recipe, e.class_key FROM task k JOIN engine e ON e.key = k.engine_key WHERE k.kind = 'BUILD'
"""
BENCHES = """
SELECT k.id AS task_id, v.content AS variant, coalesce(k.conditions, '[]') AS conditions
FROM task k JOIN subject s ON s.task_id = k.id AND s.idx = 0 JOIN variant v ON v.id = s.variant_id
WHERE k.kind = 'BENCH'
"""


def upgrade() -> None:
    op.execute("ALTER TABLE job ADD COLUMN labels TEXT DEFAULT '{}' NOT NULL")
    op.execute("ALTER TABLE job ADD COLUMN submit_state TEXT DEFAULT 'DONE' NOT NULL")
    op.execute(BLOB)
    op.execute(DEMAND)
    _keep_tasks(op.get_bind())
    op.execute("DROP INDEX one_commit_per_task")
    op.execute(COMMITS)


def _keep_tasks(connection: Connection) -> None:
    op.execute("CREATE TEMP TABLE wanted (task_id INTEGER PRIMARY KEY, demand_id INTEGER NOT NULL)")
    for row in connection.execute(text(BUILDS)).all():
        _want(connection, row.task_id, _build_demand(json.loads(row.recipe), row.class_key))
    for row in connection.execute(text(BENCHES)).all():
        _want(connection, row.task_id, _bench_demand(row.variant, json.loads(row.conditions)))
    op.execute(TASK)
    op.execute(KEEP_TASKS)
    op.execute("DROP TABLE wanted")
    op.execute("DROP TABLE task")
    op.execute("ALTER TABLE new_task RENAME TO task")
    for statement in TASK_INDEXES:
        op.execute(statement)


def _want(connection: Connection, task_id: int, demand: Document) -> None:
    content = {"content": json.dumps(demand, sort_keys=True, separators=(",", ":"))}
    connection.execute(text("INSERT OR IGNORE INTO demand (content) VALUES (:content)"), content)
    connection.execute(
        text("INSERT INTO wanted SELECT :task_id, id FROM demand WHERE content = :content"),
        {"task_id": task_id, **content},
    )


def _build_demand(recipe: Document, class_key: str) -> Document:
    return {
        "kind": "BUILD",
        "runtime": recipe["runtime"],
        "placement": recipe["placement"],
        "runtime_version": recipe["runtime_version"],
        "class_key": class_key,
        "conditions": [],
        "variant": None,
    }


def _bench_demand(content: str, conditions: list[Document]) -> Document:
    """Of the variant what decides who can run it: not its name, batch, files, nor shapes that do not vary."""
    variant: Document = json.loads(content)
    artifacts: list[dict[str, str]] = json.loads(content)["artifacts"]
    inputs: list[Document] = json.loads(content)["inputs"]
    decisive = {
        **variant,
        "key": "",
        "batch": 1,
        "inputs": [{**item, "shape": []} for item in inputs],
        "artifacts": [
            {"role": role, "name": "", "sha256": "", "size_bytes": 0}
            for role in sorted({item["role"] for item in artifacts})
        ],
    }
    return {
        "kind": "BENCH",
        "runtime": variant["runtime"],
        "placement": variant["placement"],
        "runtime_version": "",
        "class_key": "",
        "conditions": conditions,
        "variant": decisive,
    }
