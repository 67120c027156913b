"""Fifty boards of one device class and one variant: one builds, everybody benchmarks what it built."""

import asyncio
import time
from functools import partial

from benchmarks.agents import agents, background, put_engine
from benchmarks.figure import Figure, main
from benchmarks.processes import controller, scratch
from benchmarks.work import simulated_spec
from testing.processes import BrokenRun

_SECONDS = {"build": 3.0, "bench": 2.0}


async def fleetbuild(tiny: bool) -> list[Figure]:
    count, pace = (4, 0.1) if tiny else (50, 1.0)

    def work_s(kind: str) -> float:
        return _SECONDS[kind] * pace

    with scratch() as folder, controller(folder) as served, served.client() as client:
        engine = await put_engine(served.address, folder)
        async with (
            agents(served.address, count, engine=engine) as (fleet, tally),
            background(*(partial(item.work, work_s=work_s) for item in fleet)),
        ):
            await asyncio.sleep(0.5)  # everybody waits for work
            begin = time.monotonic()
            await asyncio.to_thread(client.submit_spec, simulated_spec("fleet"), {})
            while tally.benches < count:
                if time.monotonic() - begin > 60:
                    raise BrokenRun(f"{tally.benches} of {count} boards had a result in a minute")
                await asyncio.sleep(0.01)
            makespan_s = max(tally.committed_at) - begin
    ideal_s = work_s("build") + work_s("bench")
    return [
        Figure("BUILDs", tally.builds, "", at_least=1, at_most=1, note=f"{count} boards of one class"),
        Figure("makespan", makespan_s, "s"),
        Figure("the ideal, build + bench", ideal_s, "s"),
        Figure("makespan / ideal", makespan_s / ideal_s, "x"),
    ]


if __name__ == "__main__":
    main("fleetbuild", fleetbuild)
