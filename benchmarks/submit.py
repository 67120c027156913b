"""A large job: how long it takes to be acknowledged, and how long it makes everybody else wait."""

import asyncio
import time

from benchmarks.agents import FakeAgent, agents, put_engine
from benchmarks.figure import Figure, main, percentile
from benchmarks.processes import controller, scratch
from benchmarks.work import simulated_spec
from testing.processes import ControllerProcess
from testing.specs import labelled

_PAUSE_S = 0.005


async def submit(tiny: bool) -> list[Figure]:
    variants, boards = (3, 2) if tiny else (2000, 36)
    with scratch() as folder, controller(folder) as served:
        engine = await put_engine(served.address, folder)
        async with (
            agents(served.address, boards, engine=engine, labels={"rack": "here"}),
            agents(served.address, 1, engine=engine, arch="other", first=9000) as (others, _),
        ):
            quiet_ms: list[float] = []
            for _ in range(3 if tiny else 200):
                quiet_ms.append(await others[0].ask())
                await asyncio.sleep(_PAUSE_S)
            busy_ms, elapsed_s = await _submit(served, others[0], variants)
    what = f"a submit of {variants} variants x {boards} devices"
    return [
        Figure(f"{what}, acknowledged", elapsed_s, "s"),
        Figure(
            "Claim meanwhile, slowest", max(busy_ms), "ms", at_most=100, note=f"p50 {percentile(busy_ms, 0.5):.1f} ms"
        ),
        Figure("Claim before, slowest", max(quiet_ms), "ms", note=f"p50 {percentile(quiet_ms, 0.5):.1f} ms"),
    ]


async def _submit(served: ControllerProcess, other: FakeAgent, variants: int) -> tuple[list[float], float]:
    """How long claims took meanwhile, which is how long the writer was held, and how long the submit took."""
    spec = simulated_spec("large", variants=variants, targets=(labelled("here"),))
    with served.client() as client:
        begin = time.perf_counter()
        large = asyncio.create_task(asyncio.to_thread(client.submit_spec, spec, {}))
        busy_ms: list[float] = []
        while not large.done() or not busy_ms:
            busy_ms.append(await other.ask())
            await asyncio.sleep(_PAUSE_S)
        await large
    return busy_ms, time.perf_counter() - begin


if __name__ == "__main__":
    main("submit", submit)
