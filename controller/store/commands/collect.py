"""What is removed for good, in slices that hold the writer for a moment each: old jobs, engines, orphans, sessions.

Never what somebody still needs: jobs with work to do, the newest job of each name, engines that a job that stays has
run, the newest engine of each model, precision, placement and device class.
"""

from collections.abc import Collection

from sqlalchemy import Connection, text

from controller.model.task import SubmitState
from controller.store.queries.tasks import LIVE_STATES
from controller.store.stored import StoredRow

_TASKS = 25  # with all that belongs to them
_ROWS = 200
_LIVE = ", ".join(f"'{state}'" for state in LIVE_STATES)
_REMOVED = SubmitState.REMOVED.value

OLD_JOBS = text(
    """
SELECT j.id FROM job j
WHERE (j.submit_state = 'REMOVED' AND EXISTS (SELECT 1 FROM variant v WHERE v.job_id = j.id)) OR (
  j.submit_state = 'DONE' AND j.created_at < :before
  AND j.id NOT IN (SELECT max(id) FROM job WHERE submit_state = 'DONE' GROUP BY name)
  AND NOT EXISTS (SELECT 1 FROM task k WHERE k.job_id = j.id AND k.kind = 'BENCH' AND k.state IN ({live}))
  AND NOT EXISTS (SELECT 1 FROM task k WHERE k.job_id = j.id AND k.ended_at >= :before)
)
ORDER BY j.id LIMIT :most
""".replace("{live}", _LIVE)
)

# Rows that go with tasks, attempts or measurements; children first.
_PARTS = tuple(
    "DELETE FROM {table} WHERE measurement_id IN (SELECT id FROM measurement WHERE task_id IN ({tasks}))".replace(
        "{table}", table
    )
    for table in ("metric", "round", "run", "flag", "output_check")
)
_OF_TASKS = (
    *_PARTS,
    "DELETE FROM ratio WHERE task_id IN ({tasks})",
    "DELETE FROM interleaved WHERE task_id IN ({tasks})",
    "DELETE FROM measurement WHERE task_id IN ({tasks})",
    "DELETE FROM attempt_artifact WHERE attempt_token IN (SELECT token FROM attempt WHERE task_id IN ({tasks}))",
    "DELETE FROM dead_letter WHERE task_id IN ({tasks})",
    "DELETE FROM attempt WHERE task_id IN ({tasks})",
    "DELETE FROM subject WHERE task_id IN ({tasks})",
    "DELETE FROM job_build WHERE task_id IN ({tasks})",
    "UPDATE task SET because_of = NULL WHERE because_of IN ({tasks})",
    "DELETE FROM task WHERE id IN ({tasks})",
)

_HAND_OVER = text(
    """
UPDATE task SET job_id = (SELECT min(b.job_id) FROM job_build b WHERE b.task_id = task.id AND b.job_id != :job)
WHERE job_id = :job AND kind = 'BUILD'
  AND EXISTS (SELECT 1 FROM job_build b WHERE b.task_id = task.id AND b.job_id != :job)
"""
)
# What told of an engine that stays, stays with it.
_IDLE_BUILDS = text(
    """
SELECT k.id FROM task k WHERE k.job_id = :job AND k.kind = 'BUILD' AND k.state NOT IN ({live})
  AND NOT EXISTS (SELECT 1 FROM attempt a JOIN engine e ON e.built_by = a.token WHERE a.task_id = k.id)
  AND NOT EXISTS (SELECT 1 FROM attempt a JOIN timing_cache c ON c.made_by = a.token WHERE a.task_id = k.id)
LIMIT :most
""".replace("{live}", _LIVE)
)

_OLD_ENGINES = text(
    """
WITH ranked AS (
  SELECT e.key, e.built_at, row_number() OVER (
    PARTITION BY j.model_name, e.runtime, e.precision, e.placement, e.class_key ORDER BY e.built_at DESC
  ) AS place
  FROM engine e LEFT JOIN attempt a ON a.token = e.built_by LEFT JOIN task k ON k.id = a.task_id
  LEFT JOIN job j ON j.id = k.job_id
)
SELECT r.key FROM ranked r
WHERE (r.built_at IS NULL OR (r.built_at < :before AND r.place > 1))
  AND NOT EXISTS (SELECT 1 FROM subject s WHERE s.engine_key = r.key)
  AND NOT EXISTS (SELECT 1 FROM measurement m WHERE m.engine_key = r.key)
  AND NOT EXISTS (SELECT 1 FROM task k WHERE k.engine_key = r.key AND k.state IN ({live}))
  AND NOT EXISTS (SELECT 1 FROM task k JOIN job_build b ON b.task_id = k.id WHERE k.engine_key = r.key)
  AND NOT EXISTS (
    SELECT 1 FROM task k JOIN attempt a ON a.task_id = k.id JOIN timing_cache c ON c.made_by = a.token
    WHERE k.engine_key = r.key
  )
LIMIT :most
""".replace("{live}", _LIVE)
)

_EMPTY_JOBS = text(
    """
SELECT j.id FROM job j
WHERE j.submit_state = :state AND NOT EXISTS (SELECT 1 FROM task k WHERE k.job_id = j.id)
"""
)

_PLAIN = {
    "orphans": "DELETE FROM orphan WHERE id IN (SELECT id FROM orphan WHERE received_at < :before LIMIT :most)",
    "sessions": """
DELETE FROM session WHERE id IN (
  SELECT s.id FROM session s WHERE s.ended_at < :before
  AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.session_id = s.id)
  AND NOT EXISTS (SELECT 1 FROM device d WHERE d.session_id = s.id) LIMIT :most
)
""",
    # What boards said of themselves before they said something else. Who counts on a row names it in the same
    # transaction in which it was found.
    "facts": """
DELETE FROM facts WHERE id IN (
  SELECT f.id FROM facts f
  WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.facts_id = f.id)
  AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.facts_id = f.id)
  AND NOT EXISTS (SELECT 1 FROM measurement m WHERE m.facts_id = f.id) LIMIT :most
)
""",
    "timing_caches": """
DELETE FROM timing_cache WHERE made_at < :before AND id NOT IN (
  SELECT max(id) FROM timing_cache GROUP BY class_key, runtime, runtime_version
)
""",
}


def old_jobs(connection: Connection, *, before: str, most: int = 100) -> list[int]:
    """Jobs to remove, oldest first, those that a removal was begun of included."""
    return list(connection.execute(OLD_JOBS, {"before": before, "most": most}).scalars())


def remove_job(connection: Connection, job_id: int) -> bool:
    """One slice; True once the job is gone. From the first on nobody sees it."""
    connection.execute(
        text("UPDATE job SET submit_state = :state, idempotency_key = 'removed ' || id WHERE id = :job"),
        {"state": _REMOVED, "job": job_id},
    )
    benches = text("SELECT id FROM task WHERE job_id = :job AND kind = 'BENCH' LIMIT :most")
    if tasks := list(connection.execute(benches, {"job": job_id, "most": _TASKS}).scalars()):
        _remove_tasks(connection, tasks)
        return False
    connection.execute(_HAND_OVER, {"job": job_id})
    connection.execute(text("DELETE FROM job_build WHERE job_id = :job"), {"job": job_id})
    if tasks := list(connection.execute(_IDLE_BUILDS, {"job": job_id, "most": _TASKS}).scalars()):
        _remove_tasks(connection, tasks)
        return False
    variants = text("DELETE FROM variant WHERE id IN (SELECT id FROM variant WHERE job_id = :job LIMIT :most)")
    if connection.execute(variants, {"job": job_id, "most": _ROWS}).rowcount:
        return False
    _remove_empty_jobs(connection)
    return True


def remove_engines(connection: Connection, *, before: str) -> int:
    """One slice of old engines that nobody refers to; returns how many."""
    keys = list(connection.execute(_OLD_ENGINES, {"before": before, "most": _TASKS}).scalars())
    for key in keys:
        tasks = list(connection.execute(text("SELECT id FROM task WHERE engine_key = :key"), {"key": key}).scalars())
        _remove_tasks(connection, tasks)
        connection.execute(text("DELETE FROM engine WHERE key = :key"), {"key": key})
    _remove_empty_jobs(connection)
    return len(keys)


def remove_rows(connection: Connection, kind: str, *, before: str) -> int:
    """One slice of orphans, sessions, facts or timing_caches; returns how many."""
    statement = _PLAIN[kind]
    values: dict[str, object] = {"before": before}
    if ":most" in statement:
        values["most"] = _ROWS
    return int(connection.execute(text(statement), values).rowcount)


def remove_blobs(connection: Connection, digests: Collection[str], *, before: str) -> list[StoredRow]:
    """Files that the database counts on no longer, unless somebody asked for them since `before`: their rows."""
    removed = []
    for sha256 in digests:
        statement = text(
            "DELETE FROM blob WHERE sha256 = :sha256 AND created_at < :before RETURNING sha256, size_bytes"
        )
        row = connection.execute(statement, {"sha256": sha256, "before": before}).first()
        removed += [row] if row is not None else []
    return removed


def _remove_tasks(connection: Connection, tasks: list[int]) -> None:
    listed = ", ".join(map(str, tasks)) or "NULL"
    for statement in _OF_TASKS:
        connection.execute(text(statement.replace("{tasks}", listed)))


def _remove_empty_jobs(connection: Connection) -> None:
    """Jobs of which nothing is left; of some the BUILD of an engine is, which stays as long as the engine."""
    ids = list(connection.execute(_EMPTY_JOBS, {"state": _REMOVED}).scalars())
    for job_id in ids:
        has_variants = text("SELECT 1 FROM variant WHERE job_id = :job LIMIT 1")
        if connection.execute(has_variants, {"job": job_id}).first() is None:
            connection.execute(text("UPDATE job SET retry_of = NULL WHERE retry_of = :job"), {"job": job_id})
            connection.execute(text("DELETE FROM job WHERE id = :job"), {"job": job_id})
