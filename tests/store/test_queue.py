"""The queue of READY tasks: in the scheduler's order, and judged by demand, however long it is."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from controller.core import scheduler
from controller.core.ability import inability
from controller.core.demand import decisive
from controller.model.facts import Facts
from controller.model.job import JobSpec
from controller.model.task import Device, FailureKind
from controller.store.commands.claim import claim
from controller.store.queries import queue
from controller.store.queries.devices import current_device, planning_devices
from testing.devices import AGX_ORIN, CPU
from testing.specs import ANY, EVERY, labelled, on_tensorrt, spec
from tests.store.fleet import StoreFleet, failed

OTHER: Facts = {**CPU, "cpu_model": "Other 1"}


def statements_of_a_claim(fleet: StoreFleet, session: str) -> int:
    """How many statements SQLite runs for a claim that finds nothing."""

    def nothing(connection: Connection) -> None:
        assert claim(connection, session, "r", alive=fleet.alive) is None

    return fleet.statements(nothing)


@pytest.mark.parametrize("targets", [(EVERY,), (labelled("a", EVERY.quantifier),)], ids=["builds", "labelled"])
def test_what_fits_nothing_is_answered_as_fast_however_much_waits(fleet: StoreFleet, targets: object) -> None:
    fleet.register("able", facts={**CPU, "label.rack": "a"})
    job = replace(spec(), targets=(labelled("a"),))
    fleet.submit(job)
    fleet.register("unfit", facts=OTHER)
    few = statements_of_a_claim(fleet, "unfit/1")
    fleet.submit(replace(spec(*range(1, 200)), targets=(labelled("a", ANY.quantifier),)))
    fleet.submit(replace(spec(*range(200, 300)), targets=(labelled("a"),)))
    assert statements_of_a_claim(fleet, "unfit/1") == few
    assert fleet.sql("SELECT count(*) AS n FROM task WHERE state = 'READY'")[0]["n"] == 300
    (count,) = fleet.sql("SELECT count(*) AS n FROM demand")
    assert count["n"] == 3  # the BUILDs', the bound BENCHes' and the free ones'


def test_the_queue_is_in_the_order_of_the_scheduler(fleet: StoreFleet) -> None:
    """What the database hands out is what the pure scheduler would choose of everything that is READY."""
    fleet.register("a")
    fleet.register("other", facts=OTHER)
    jobs = [
        spec(1, 2),
        spec(3, targets=(ANY,), priority=1),
        spec(4, priority=2),
        spec(1, targets=(ANY,)),
        spec(5, 6, priority=1),
    ]
    for job in jobs:
        fleet.submit(job)
    taken = 0
    while True:
        expected = fleet.write(lambda connection: best_of_all(connection, fleet, "a/1"))
        lease = fleet.claim("a/1")
        if lease is None:
            break
        taken += 1
        assert expected is not None
        assert lease.task_id == expected or lease.name.startswith("build"), (
            "an `any` BENCH is bound, and its BUILD done"
        )
        fleet.finish("a/1", lease)
    assert expected is None
    assert taken == 13


def best_of_all(connection: Connection, fleet: StoreFleet, session: str) -> int | None:
    device = current_device(connection, session).device
    others = [item for item in planning_devices(connection, alive=fleet.alive) if item.id != device.id]
    found = scheduler.pick(device, queue.all_ready(connection), others=others)
    return found.task_id if found else None


def test_a_line_goes_on_behind_tasks_that_are_left_to_others(fleet: StoreFleet) -> None:
    """More of them than are read at once, and all of one demand."""
    fleet.register("a")
    fleet.register("b")
    fleet.submit(spec(*range(1, 21)))
    met = []
    for _ in range(12):
        lease = fleet.must_claim("a/1")
        met.append(lease.task_id)
        fleet.commit("a/1", lease.token, failed(FailureKind.INFRASTRUCTURE))
    assert met == sorted(set(met)), "none is tried twice by a board that met a fault with it"
    assert fleet.must_claim("b/1").task_id == met[0]


@pytest.mark.parametrize(
    "facts", [CPU, AGX_ORIN, {**AGX_ORIN, "runtime.tensorrt": "11.4.1"}], ids=["pc", "orin", "newer"]
)
@pytest.mark.parametrize(
    "job",
    [
        spec(8),
        on_tensorrt(),
        on_tensorrt("gpu+dla0"),
        on_tensorrt(options={"lowering": "flags"}),
        on_tensorrt(options={"hardware_compatibility": "same_compute_capability"}),
    ],
    ids=["onnxruntime", "tensorrt", "dla", "flags", "compatibility"],
)
def test_a_demand_keeps_all_that_decides(facts: Facts, job: JobSpec) -> None:
    (variant,) = job.variants
    device = Device("d", "d", facts)
    for item in (variant, replace(variant, artifacts=variant.artifacts[:1])):
        whole = inability(item.runtime, item.placement, device.facts, item)
        assert inability(item.runtime, item.placement, device.facts, decisive(item)) == whole
