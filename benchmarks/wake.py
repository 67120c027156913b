"""What a submit costs a controller at which many boards wait, none of which can use it: whom it wakes."""

import asyncio

from benchmarks.agents import agents, background, put_engine
from benchmarks.figure import Figure, main
from benchmarks.processes import controller, scratch
from benchmarks.work import simulated_spec
from controller.model.job import Quantifier
from testing.processes import ControllerProcess
from testing.specs import labelled

_SETTLE_S = 2.0


async def wake(tiny: bool) -> list[Figure]:
    waiting, submits = (5, 1) if tiny else (1000, 10)
    with scratch() as folder, controller(folder) as served:
        engine = await put_engine(served.address, folder)
        async with agents(served.address, 1, engine=engine, labels={"rack": "here"}, first=9000, renew_every_s=60):
            alone_s = await _submits(served, submits, name="alone")
            async with (
                agents(served.address, waiting, engine=engine, arch="other", renew_every_s=600) as (fleet, _),
                background(*(board.wait for board in fleet)),
            ):
                await asyncio.sleep(0.1 if tiny else 5.0)  # all of them wait
                watched_s = await _submits(served, submits, name="watched")
    return [
        Figure("a submit while nobody waits", alone_s * 1e3, "ms of CPU", note=f"mean of {submits}"),
        Figure(
            f"a submit while {waiting} claims wait that cannot use it",
            watched_s * 1e3,
            "ms of CPU",
            at_most=100,
            note=f"mean of {submits}",
        ),
    ]


async def _submits(served: ControllerProcess, count: int, *, name: str) -> float:
    """CPU seconds of the controller for each of `count` submits."""
    before_s = served.cpu_s()
    with served.client() as client:
        for number in range(count):
            spec = simulated_spec(
                f"{name}-{number}", targets=(labelled("here", Quantifier.ANY),), options={"latency_ms": str(number)}
            )
            await asyncio.to_thread(client.submit_spec, spec, {})
            await asyncio.sleep(_SETTLE_S / count)
    return (served.cpu_s() - before_s) / count


if __name__ == "__main__":
    main("wake", wake)
