"""What a claim costs a board that fits nothing, and the board beside it that works, however many tasks wait."""

import asyncio
from functools import partial

from benchmarks.agents import FakeAgent, agents, background, no_work, put_engine
from benchmarks.figure import Figure, main, percentile
from benchmarks.processes import controller, scratch
from benchmarks.work import simulated_spec
from controller.model.job import Quantifier
from testing.processes import ControllerProcess
from testing.specs import labelled

_UNFIT = 60
_EVERY_S = 1.0  # each board that fits nothing asks that often: as when everybody is woken by every change
_PER_JOB = 1000


async def claim(tiny: bool) -> list[Figure]:
    few, many, boards, window_s = (3, 20, 3, 0.5) if tiny else (10, 10_000, _UNFIT, 20.0)
    return [
        *await _measure(few, boards, window_s, bars=False),
        *await _measure(many, boards, window_s, bars=True),
    ]


async def _measure(waiting: int, boards: int, window_s: float, *, bars: bool) -> list[Figure]:
    with scratch() as folder, controller(folder) as served:
        engine = await put_engine(served.address, folder)
        async with agents(served.address, 1, engine=engine, labels={"rack": "elsewhere"}, first=9000):
            await _fill(served, waiting, rack="elsewhere")
        async with (
            agents(served.address, boards, engine=engine, arch="other") as (unfit, _),
            agents(served.address, 1, engine=engine, labels={"rack": "here"}, first=9001) as (able, tally),
        ):
            await _fill(served, waiting, rack="here")
            claims_ms: list[float] = []
            async with background(
                *(partial(_ask, board, claims_ms, index / boards) for index, board in enumerate(unfit)),
                partial(able[0].work, work_s=no_work),
            ):
                await asyncio.sleep(window_s)
                done = len(tally.committed_at)
                claims_ms.append(await unfit[0].ask())  # one at least, however slow
    what = f"with {waiting} waiting and {boards} boards that fit nothing"
    return [
        Figure(
            f"Claim {what}, p99",
            percentile(claims_ms, 0.99),
            "ms",
            at_most=10 if bars else None,
            note=f"{len(claims_ms)} claims; p50 {percentile(claims_ms, 0.5):.1f} ms",
        ),
        Figure(f"the working board {what}", done / window_s, "tasks/s"),
    ]


async def _ask(board: FakeAgent, claims_ms: list[float], phase: float) -> None:
    await asyncio.sleep(phase * _EVERY_S)
    while True:
        claims_ms.append(await board.ask())
        await asyncio.sleep(_EVERY_S)


async def _fill(served: ControllerProcess, waiting: int, *, rack: str) -> None:
    with served.client() as client:
        for begin in range(0, waiting, _PER_JOB):
            spec = simulated_spec(
                f"waiting-{rack}-{begin}",
                variants=min(_PER_JOB, waiting - begin),
                targets=(labelled(rack, Quantifier.ANY),),
            )
            await asyncio.to_thread(client.submit_spec, spec, {})


if __name__ == "__main__":
    main("claim", claim)
