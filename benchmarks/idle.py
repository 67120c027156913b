"""What waiting costs: one real agent with nothing to do, and a controller with 500 agents that only wait and renew."""

import asyncio
from functools import partial

from benchmarks.agents import agents, background, no_work, put_engine
from benchmarks.figure import Figure, main, percentile
from benchmarks.processes import agent, controller, scratch
from testing.processes import Process

_AGENTS = 500


async def idle(tiny: bool) -> list[Figure]:
    window_s, count = (0.3, 5) if tiny else (35.0, _AGENTS)
    return [*await _one_agent(window_s), *await _many_agents(window_s, count)]


async def _one_agent(window_s: float) -> list[Figure]:
    with scratch() as folder, controller(folder) as served, agent(served, folder / "board") as board:
        await asyncio.sleep(min(3.0, window_s))  # past what starting takes
        share = await _cores(board, window_s)
        return [
            Figure("idle agent", share * 100, "% of a core", at_most=0.2, note=f"over {window_s:.0f} s"),
            Figure("idle agent, resident", board.rss_mb(), "MB", at_most=80),
        ]


async def _many_agents(window_s: float, count: int) -> list[Figure]:
    with scratch() as folder, controller(folder) as served:
        engine = await put_engine(served.address, folder)
        async with agents(served.address, count, engine=engine) as (fleet, tally):
            steps = (partial(item.work, work_s=no_work) for item in fleet)
            async with background(*steps):
                await asyncio.sleep(min(6.0, window_s))  # every heart has beaten
                tally.renew_ms.clear()
                cores = await _cores(served, window_s)
                resident = served.rss_mb()
    renews = tally.renew_ms or [0.0]
    return [
        Figure(f"controller with {count} agents", cores, "cores", at_most=1, note=f"over {window_s:.0f} s"),
        Figure("its memory, resident", resident, "MB", at_most=300),
        Figure(
            "Renew as those agents see it, p99", percentile(renews, 0.99), "ms", note=f"{len(tally.renew_ms)} renews"
        ),
    ]


async def _cores(process: Process, window_s: float) -> float:
    before = process.cpu_s()
    await asyncio.sleep(window_s)
    process.check()
    return (process.cpu_s() - before) / window_s


if __name__ == "__main__":
    main("idle", idle)
