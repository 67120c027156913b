"""Asking a large database: the rows of one job and of its baseline among a million, while boards renew."""

import asyncio
import time
from pathlib import Path
from statistics import median

from benchmarks.agents import agents, put_engine
from benchmarks.figure import Figure, main, percentile
from benchmarks.million import PER_JOB, fill
from benchmarks.processes import controller, scratch
from controller.model.view import ResultQuery
from testing.processes import BrokenRun, ControllerProcess

_BOARDS = 50


async def query(tiny: bool) -> list[Figure]:
    count, rounds = (2 * PER_JOB, 2) if tiny else (1_000_000, 10)
    with scratch() as folder:
        state = folder / "state"
        state.mkdir()
        fill(state, count)
        with controller(folder) as served:
            return await _measure(served, folder, count, rounds)


async def _measure(served: ControllerProcess, folder: Path, count: int, rounds: int) -> list[Figure]:
    last = count // PER_JOB
    engine = await put_engine(served.address, folder)
    async with agents(served.address, _BOARDS, engine=engine, renew_every_s=0.5) as (_, tally):
        await asyncio.sleep(1)
        quiet = list(tally.renew_ms)
        tally.renew_ms.clear()
        taken = [await asyncio.to_thread(_compare_s, served, (last, last // 2)) for _ in range(rounds)]
        await asyncio.sleep(0.6)
        busy = list(tally.renew_ms)
    return [
        Figure(f"one job and its baseline among {count}", median(taken), "s", at_most=1, note=f"{2 * PER_JOB} rows"),
        Figure("the slowest of them", max(taken), "s", note=f"of {rounds}"),
        Figure("Renew meanwhile, p99", percentile(busy, 0.99), "ms", at_most=100, note=f"{len(busy)} renews"),
        Figure("Renew before, p99", percentile(quiet, 0.99), "ms", note=f"{len(quiet)} renews"),
    ]


def _compare_s(served: ControllerProcess, job_ids: tuple[int, int]) -> float:
    """Seconds until the latest VALID row per variant and device of both jobs is here, and matched."""
    begin = time.perf_counter()
    with served.client() as client:
        rows = client.results(ResultQuery(job_ids=job_ids, limit=2 * PER_JOB))
    latest: dict[tuple[int, str, str], float | None] = {}
    for row in rows:
        if row.measurement.verdict == "VALID":
            latest.setdefault((row.job_id, row.variant_key, row.device), row.measurement.p50_ms.value)
    matched = [key for key in latest if key[0] == job_ids[0] and (job_ids[1], *key[1:]) in latest]
    elapsed_s = time.perf_counter() - begin
    if len(rows) != 2 * PER_JOB or not matched:
        raise BrokenRun(f"{len(rows)} rows and {len(matched)} pairs came back")
    return elapsed_s


if __name__ == "__main__":
    main("query", query)
