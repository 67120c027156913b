"""How many tasks per second pass through a controller: claimed, committed, on disk. 100 agents, no work in the tasks.

Each task is a Claim and a Commit by an agent that has nothing else to do, so the controller is all there is to wait
for; the agents' own process needs the other core. Dask's scheduler, which keeps nothing, is there for scale.
"""

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from benchmarks.agents import Tally, agents, background, no_work, put_engine
from benchmarks.figure import Figure, main
from benchmarks.processes import controller, scratch
from benchmarks.work import simulated_spec
from controller.model.job import JobSpec
from testing.processes import BrokenRun, ControllerProcess
from testing.specs import ANY


@dataclass(frozen=True)
class _Burst:
    """What one job of empty tasks took, from the acknowledged submit to the last commit."""

    tasks: int
    elapsed_s: float
    cores: float

    @property
    def per_s(self) -> float:
        return self.tasks / self.elapsed_s


async def dispatch(tiny: bool) -> list[Figure]:
    count = 4 if tiny else 100
    with scratch() as folder, controller(folder) as served:
        engine = await put_engine(served.address, folder)
        async with (
            agents(served.address, count, engine=engine) as (fleet, tally),
            background(*(partial(agent.work, work_s=no_work) for agent in fleet)),
        ):
            await _burst(served, tally, simulated_spec("warm-up"))
            bound = await _burst(served, tally, simulated_spec("every", variants=3 if tiny else 30))
            free = await _burst(served, tally, simulated_spec("any", variants=9 if tiny else 1000, targets=(ANY,)))
    return [
        Figure(
            "tasks bound to their boards", bound.per_s, "tasks/s", at_least=300, note=f"{bound.tasks} tasks, fsynced"
        ),
        Figure("its controller", bound.cores, "cores"),
        Figure(
            "tasks that any board may take",
            free.per_s,
            "tasks/s",
            note=f"{free.tasks} tasks, and as many BUILDs before them",
        ),
        Figure("its controller", free.cores, "cores"),
        *([] if tiny else _dask(1000)),
    ]


async def _burst(served: ControllerProcess, tally: Tally, spec: JobSpec) -> _Burst:
    with served.client() as client:
        done = len(tally.committed_at)
        job_id = (await asyncio.to_thread(client.submit_spec, spec, {})).job_id
        begin, cpu_s = time.monotonic(), served.cpu_s()
        total = len(client.job(job_id).tasks)
        while len(tally.committed_at) < done + total:
            if time.monotonic() - begin > 120:
                raise BrokenRun(f"{len(tally.committed_at) - done} of {total} tasks were done in two minutes")
            await asyncio.sleep(0.02)
        elapsed_s = max(tally.committed_at) - begin
        return _Burst(total, elapsed_s, (served.cpu_s() - cpu_s) / (time.monotonic() - begin))


def _dask(count: int) -> list[Figure]:
    """Dask distributed's rate for tasks that do nothing, where it is installed: workers and scheduler, one process."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        return []
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(_increment, range(10)))
        begin = time.monotonic()
        client.gather(client.map(_increment, range(10, 10 + count)))
        elapsed_s = time.monotonic() - begin
    return [Figure("Dask distributed", count / elapsed_s, "tasks/s", note=f"{count} no-op tasks, kept nowhere")]


def _increment(value: int) -> int:
    return value + 1


if __name__ == "__main__":
    main("dispatch", dispatch)
