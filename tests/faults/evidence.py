"""The oracle outside the system: what the database must say after a fault, whatever the processes believe."""

import sqlite3
from pathlib import Path
from typing import Any


def query(state_dir: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{state_dir / 'fleet.db'}?mode=ro", uri=True)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def attempts(state_dir: Path, job_id: int, kind: str) -> list[str]:
    """States of the attempts of a job's tasks of one kind, in order."""
    return [
        state
        for (state,) in query(
            state_dir,
            "SELECT state FROM v_attempts WHERE kind = ? AND job_id = ? ORDER BY task_id, number",
            kind,
            job_id,
        )
    ]


def measurements(state_dir: Path, job_id: int) -> int:
    return int(query(state_dir, "SELECT count(*) FROM measurement WHERE job_id = ?", job_id)[0][0])


def assert_invariants(state_dir: Path) -> None:
    """I2 one committed result per task, I4 no overlap in a bench domain, I5 every committed file is there."""
    assert (
        query(state_dir, "SELECT task_id FROM attempt WHERE state = 'COMMITTED' GROUP BY 1 HAVING count(*) > 1") == []
    )
    overlaps = query(
        state_dir,
        "SELECT a.token, b.token FROM attempt a JOIN attempt b ON a.bench_domain = b.bench_domain AND a.token < b.token"
        " WHERE a.leased_at < coalesce(b.ended_at, '9') AND b.leased_at < coalesce(a.ended_at, '9')",
    )
    assert overlaps == []
    stored = query(
        state_dir,
        "SELECT sha256 FROM attempt_artifact UNION SELECT sha256 FROM engine WHERE sha256 IS NOT NULL"
        " UNION SELECT samples_sha256 FROM measurement WHERE samples_sha256 IS NOT NULL"
        " UNION SELECT samples_sha256 FROM v_runs WHERE samples_sha256 IS NOT NULL",
    )
    for (sha256,) in stored:
        assert (state_dir / "blobs" / "objects" / sha256[:2] / sha256).is_file()
