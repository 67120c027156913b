"""What a TensorRT variant asks for is held against a device when it claims, not only when the job is planned."""

from dataclasses import replace

import pytest

from controller.model.job import JobSpec
from controller.model.lease import BenchWork, BuildWork
from jetfleet.errors import NoDevice
from testing.devices import AGX_ORIN
from testing.specs import ANY, on_tensorrt
from tests.store.fleet import StoreFleet
from tests.store.test_why import why

NEWER = {**AGX_ORIN, "l4t": "39.2.2", "runtime.tensorrt": "11.4.1"}
WITHOUT_DLA = {**AGX_ORIN, "l4t": "39.2.0", "runtime.tensorrt": "10.16.2.10"}


def anywhere(job: JobSpec) -> JobSpec:
    return replace(job, targets=(ANY,))


def test_any_is_left_to_a_device_that_can(fleet: StoreFleet) -> None:
    fleet.register("newer", facts=NEWER)
    fleet.register("older", facts=AGX_ORIN)
    fleet.submit(anywhere(on_tensorrt(options={"lowering": "flags"})))
    assert fleet.claim("newer/1") is None
    assert isinstance(fleet.must_claim("older/1").work, BuildWork)


def test_any_on_a_dla_is_left_to_a_tensorrt_that_drives_one(fleet: StoreFleet) -> None:
    fleet.register("without", facts=WITHOUT_DLA)
    fleet.register("older", facts=AGX_ORIN)
    fleet.submit(anywhere(on_tensorrt("gpu+dla0")))
    assert fleet.claim("without/1") is None
    assert fleet.run_all("older/1") == [
        "build tensorrt-fp16-b1-gpu",
        "build tensorrt-fp16-b1-dla",
        "bench tensorrt-fp16-b1-gpu+dla0",
    ]


def test_nobody_who_could_is_told_at_submit(fleet: StoreFleet) -> None:
    fleet.register("newer", facts=NEWER)
    with pytest.raises(NoDevice) as caught:
        fleet.submit(anywhere(on_tensorrt(options={"lowering": "flags"})))
    reason = "TensorRT 11.4.1 has no builder flags: leave lowering out (typed graph)"
    assert caught.value.hint == f"nearest: newer (aarch64), but {reason}"


def test_a_board_that_lost_its_dla_in_an_upgrade_says_so(fleet: StoreFleet) -> None:
    fleet.register("orin", facts=AGX_ORIN)
    job_id = fleet.submit(on_tensorrt("dla0")).job_id
    fleet.finish("orin/1", fleet.must_claim("orin/1"))
    fleet.register("orin", session="orin/2", facts=WITHOUT_DLA)
    assert fleet.claim("orin/2") is None
    assert why(fleet, job_id) == [
        "READY: waits for orin, but TensorRT 10.16.2.10 has no DLA (10.7 was the last; 11.4.1 on AGX Orin brings it "
        "back): place it on gpu"
    ]


def test_an_upgraded_board_gets_its_engines_anew(fleet: StoreFleet) -> None:
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt("gpu+dla0+dla1"))
    while isinstance((lease := fleet.must_claim("orin/1")).work, BuildWork):
        fleet.finish("orin/1", lease)
    fleet.register("orin", session="orin/2", facts=NEWER)
    works = []
    while (lease := fleet.claim("orin/2")) is not None:
        works.append(lease.work)
        fleet.finish("orin/2", lease)
    builds = [item.recipe for item in works if isinstance(item, BuildWork)]
    assert [(item.placement, item.lowering.value, item.runtime_version) for item in builds] == [
        ("gpu", "typed-graph", "11.4.1"),
        ("dla", "typed-graph", "11.4.1"),
    ]
    assert [type(item) for item in works[2:]] == [BenchWork]


def test_each_task_is_told_what_it_heeds(fleet: StoreFleet) -> None:
    options = {"lowering": "typed", "workspace_mib": "256", "wait": "spin"}
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt(options=options))
    build = fleet.must_claim("orin/1")
    assert isinstance(build.work, BuildWork)
    assert build.work.recipe.options == {"workspace_mib": "256"}
    fleet.finish("orin/1", build)
    bench = fleet.must_claim("orin/1").work
    assert isinstance(bench, BenchWork)
    assert bench.subjects[0].options == {"workspace_mib": "256", "wait": "spin"}
