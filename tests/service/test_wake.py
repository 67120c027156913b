"""Whom a change wakes: those who can use what it gives to do, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from controller.core.content import content_digest
from controller.model.codec import dump
from controller.model.facts import Facts
from controller.model.job import JobSpec
from controller.model.lease import Lease, Registration
from controller.model.view import Submitted
from controller.service.audit import CONTROLLER
from controller.service.context import ServiceContext, open_context
from controller.service.identity import set_caller
from controller.service.options import ServeOptions
from controller.service.submissions import Submissions
from controller.store.commands.blobs import keep_blobs
from controller.store.commands.claim import claim
from controller.store.commands.commit import commit
from controller.store.commands.register import register
from controller.store.commands.submit import Submission, plan_job
from controller.store.queries.devices import OpenBoard, planning_devices
from controller.store.queries.engines import known_engines
from testing.devices import CPU
from testing.specs import ANY, labelled, spec
from tests.store.fleet import ENGINE, built, measured

OTHER: Facts = {**CPU, "cpu_model": "Other 1"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[ServiceContext]:
    made = open_context(ServeOptions(tmp_path))
    for name, facts in (("a", {**CPU, "label.rack": "a"}), ("twin", CPU), ("other", OTHER)):
        who = Registration(name, f"{name}/1", "boot", "", name, "0", name, facts, ())
        await made.write(partial(register, who=who, alive=()))
        made.boards[who.session_id] = OpenBoard(name, name, dump(dict(facts)))
    await made.write(partial(keep_blobs, sizes={ENGINE.sha256: 10}))
    yield made
    made.close()


class Woken:
    """Which boards were told of something since it was made."""

    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self._before = self._counts()

    def __call__(self) -> set[str]:
        now = self._counts()
        return {name for name, count in now.items() if count != self._before[name]}

    def _counts(self) -> dict[str, int]:
        return {name: self._service.work.count(name) for name in ("a", "twin", "other")}


def nothing(_: Submitted) -> None:
    """Of these the audit log is told nothing."""


async def submit(service: ServiceContext, job: JobSpec, key: str) -> int:
    set_caller(CONTROLLER)

    def planned(connection: Connection) -> Submission:
        return plan_job(job, planning_devices(connection, alive=()), known_engines(connection), key=key)

    return (
        await Submissions(service).submit(key, content_digest(job), partial(service.read, planned), tell=nothing)
    ).job_id


async def claimed(service: ServiceContext, name: str) -> Lease:
    lease = await service.write(partial(claim, session_id=f"{name}/1", request_id=f"r{id(object())}", alive=()))
    assert lease is not None
    return lease


async def test_a_submit_wakes_boards_that_can_build_for_it(service: ServiceContext) -> None:
    woken = Woken(service)
    await submit(service, spec(1, targets=(labelled("a"),)), "k")
    assert woken() == {"a", "twin"}  # of one class: either may build the engine


async def test_a_submit_for_any_board_wakes_those_that_match(service: ServiceContext) -> None:
    woken = Woken(service)
    await submit(service, spec(1, targets=(labelled("a", ANY.quantifier),)), "k")
    assert woken() == {"a"}


async def test_an_engine_wakes_whose_bench_waited_for_it(service: ServiceContext) -> None:
    await submit(service, spec(1, targets=(labelled("a"),)), "k")
    lease = await claimed(service, "twin")
    woken = Woken(service)
    await service.write(partial(commit, session_id="twin/1", token=lease.token, outcome=built()))
    assert woken() == {"a", "twin"}  # one has its engine, the other is free again
    bench = await claimed(service, "a")
    woken = Woken(service)
    await service.write(partial(commit, session_id="a/1", token=bench.token, outcome=measured()))
    assert woken() == {"a"}


async def test_two_submits_of_one_key_at_the_same_time_are_one(service: ServiceContext) -> None:
    set_caller(CONTROLLER)
    submissions = Submissions(service)

    def planned(key: str) -> Callable[[Connection], Submission]:
        return lambda c: plan_job(spec(*range(1, 40)), planning_devices(c, alive=()), known_engines(c), key=key)

    answers = await asyncio.gather(
        *(submissions.submit("k", "content", partial(service.read, planned("k")), tell=nothing) for _ in range(3)),
    )
    assert len({answer.job_id for answer in answers}) == 1
