"""From an acknowledged submit to the commit of its one task, whose work is empty: what the system adds to every task.

The engine is built before; a child process per attempt is the design, so its start-up is measured alone and taken off.
"""

import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure, main
from benchmarks.processes import agent, controller, scratch
from benchmarks.work import EMPTY_WORK, simulated_spec
from controller.api.client import Client
from testing.processes import BrokenRun

_DONE = "SELECT ended_at FROM task WHERE job_id = ? AND kind = 'BENCH' AND state = 'SUCCEEDED'"
# Everything that the child imports before it can work, and nothing else.
_START_UP = "import agent.work.main, agent.runtime.simulated"


def commit(tiny: bool) -> list[Figure]:
    rounds = 2 if tiny else 30
    with scratch() as folder, controller(folder) as served, agent(served, folder / "board"), served.client() as client:
        _time_one(client, served.state_dir)  # builds the engine
        start_ups, whole = [], []
        for _ in range(rounds):  # interleaved: a busy machine slows both
            start_ups.append(_start_up_ms())
            whole.append(_time_one(client, served.state_dir))
    alone, all_of_it = median(start_ups), median(whole)
    return [
        Figure("submit acknowledged to commit, p50", all_of_it, "ms", note=f"{rounds} jobs"),
        Figure("the child's start-up alone, p50", alone, "ms"),
        Figure("beyond the child's start-up, p50", all_of_it - alone, "ms", at_most=150),
    ]


def _time_one(client: Client, state_dir: Path) -> float:
    """Milliseconds by the wall clock that both processes share; the database tells when the commit was made."""
    job_id = client.submit_spec(simulated_spec("empty", options=EMPTY_WORK), {}).job_id
    acknowledged = time.time()
    client.wait(job_id)
    database = sqlite3.connect(f"file:{state_dir / 'fleet.db'}?mode=ro", uri=True)
    found = database.execute(_DONE, (job_id,)).fetchone()
    database.close()
    if found is None:
        raise BrokenRun(f"job {job_id} did not succeed: {client.job(job_id).tasks}")
    return (datetime.fromisoformat(found[0]).timestamp() - acknowledged) * 1e3


def _start_up_ms() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", _START_UP], check=True)
    return (time.perf_counter() - begin) * 1e3


if __name__ == "__main__":
    main("commit", commit)
