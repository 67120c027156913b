"""The service's small parts, and its manners towards everybody's tools: bells, liveness, health, reflection, limits."""

import asyncio
from dataclasses import replace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from controller.model.result import Round
from controller.model.task import Progress, TaskKind
from controller.model.view import PlannedTask, Submitted
from controller.service.answers import results_page, told_of
from controller.service.liveness import Liveness
from controller.service.notifier import Notifier
from controller.wire.view import SUBMITTED
from jetfleet.errors import BadInput, NeedsUpgrade
from jetfleet.rpc import CALL_METADATA, from_status
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc, control_pb2, control_pb2_grpc, fleet_pb2, fleet_pb2_grpc
from testing.measurements import row
from testing.processes import ControllerProcess


async def test_a_notifier_wakes_every_waiter_once() -> None:
    notifier = Notifier()
    seen = notifier.count()
    waiters = [asyncio.create_task(notifier.wait(seen, timeout_s=600)) for _ in range(3)]
    await asyncio.sleep(0)
    notifier.notify_all()
    await asyncio.wait_for(asyncio.gather(*waiters), 60)
    await asyncio.wait_for(notifier.wait(seen, timeout_s=600), 60)  # it was told before we waited: nothing is missed


async def test_a_silent_notifier_lets_go_after_its_time() -> None:
    notifier = Notifier()
    await asyncio.wait_for(notifier.wait(notifier.count(), timeout_s=0.01), 60)
    await asyncio.wait_for(notifier.wait(notifier.count(), timeout_s=0), 60)


def test_liveness_knows_who_is_alive_and_what_is_overdue() -> None:
    now = [100.0]
    liveness = Liveness(lease_s=30, now=lambda: now[0])
    liveness.hear("early")
    liveness.renew(["t1"])
    liveness.progress["t1"] = Progress("build")
    now[0] += 20
    liveness.hear("late")
    liveness.renew(["t2"])
    assert liveness.alive() == {"early", "late"}
    assert liveness.alive(within_s=10) == {"late"}
    assert liveness.overdue() == []
    now[0] += 11
    assert liveness.alive() == {"late"}
    assert liveness.silent() == ["early"]
    assert liveness.overdue() == ["t1"]
    liveness.end("t1")
    liveness.forget("early")
    assert (liveness.overdue(), liveness.silent(), liveness.progress) == ([], [], {})


def test_health_is_there_for_every_service(controller: ControllerProcess) -> None:
    with grpc.insecure_channel(controller.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "jetfleet.v1.Fleet", "jetfleet.v1.Blobs", "jetfleet.v1.Control"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services(controller: ControllerProcess) -> None:
    with grpc.insecure_channel(controller.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        answer = next(iter(stub.ServerReflectionInfo(asked, timeout=60)))
        names = {service.name for service in answer.list_services_response.service}
    assert names >= {"jetfleet.v1.Fleet", "jetfleet.v1.Blobs", "jetfleet.v1.Control", "grpc.health.v1.Health"}


def test_a_caller_that_names_no_protocol_is_told_to_upgrade(controller: ControllerProcess) -> None:
    with grpc.insecure_channel(controller.address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            control_pb2_grpc.ControlStub(channel).Hello(control_pb2.HelloRequest(), timeout=60)
        assert isinstance(from_status(refused.value, address="here"), NeedsUpgrade)


@pytest.mark.parametrize("field", ["device_id", "session_id", "boot_id", "bench_domain"])
def test_a_registration_without_an_identity_is_refused(controller: ControllerProcess, field: str) -> None:
    whole = {"device_id": "d", "session_id": "s", "boot_id": "b", "bench_domain": "x"}
    request = fleet_pb2.RegisterRequest(**{name: value for name, value in whole.items() if name != field})
    with grpc.insecure_channel(controller.address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            fleet_pb2_grpc.FleetStub(channel).Register(request, timeout=60, metadata=CALL_METADATA)
        error = from_status(refused.value, address="here")
    assert isinstance(error, BadInput)
    assert field in error.message


def test_blobs_refuse_what_is_no_upload(controller: ControllerProcess) -> None:
    digest = "ab" * 32
    chunk = blobs_pb2.UploadRequest(chunk=b"no header")
    header = blobs_pb2.UploadRequest(header=blobs_pb2.UploadHeader(sha256=digest, size_bytes=3 << 20))
    large = blobs_pb2.UploadRequest(chunk=b"x" * ((1 << 20) + 1))
    with grpc.insecure_channel(controller.address) as channel:
        stub = blobs_pb2_grpc.BlobsStub(channel)
        for parts, told in (
            ([chunk], "must begin with its header"),
            ([], "must begin with its header"),
            ([header, large], "a chunk of"),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                stub.Upload(iter(parts), timeout=60, metadata=CALL_METADATA)
            assert told in from_status(refused.value, address="here").message
        many = blobs_pb2.StatRequest(sha256=[digest] * 1001)
        with pytest.raises(grpc.RpcError) as refused:
            stub.Stat(many, timeout=60, metadata=CALL_METADATA)
        assert "at most 1000" in from_status(refused.value, address="here").expected


def test_a_page_of_results_fits_into_a_message() -> None:
    rounds = tuple(Round(100, 14.5, 14.6) for _ in range(4000))
    fat = [replace(row(rounds=rounds), measurement_id=number) for number in range(60, 0, -1)]
    page = results_page(fat, asked=60)
    assert 1 < len(page.rows) < 60
    assert page.more
    assert page.ByteSize() < 4 << 20
    thin = [replace(row(), measurement_id=number) for number in range(3, 0, -1)]
    assert not results_page(thin, asked=60).more
    assert not results_page(thin, asked=3).more
    assert results_page([], asked=5).rows == []


def test_a_plan_of_any_size_is_answered_in_a_message() -> None:
    task = PlannedTask(TaskKind.BENCH, "v" * 200, "d" * 60, "e" * 64, False)
    told = told_of(Submitted(1, (task,) * 74_000, repeated_request=False, notes=("first",)))
    assert told.notes == ("first", "69000 more tasks are planned and not listed here")
    assert SUBMITTED.encode(told).ByteSize() < 4 << 20
    small = Submitted(1, (task,), repeated_request=False, notes=())
    assert told_of(small) is small


async def test_a_notifier_wakes_the_waiters_of_a_topic_only() -> None:
    notifier = Notifier()
    here = asyncio.create_task(notifier.wait(notifier.count("here"), timeout_s=600, topic="here"))
    there = asyncio.create_task(notifier.wait(notifier.count("there"), timeout_s=600, topic="there"))
    await asyncio.sleep(0)
    notifier.notify(["here"])
    await asyncio.wait_for(here, 60)
    assert not there.done()
    notifier.notify_all()
    await asyncio.wait_for(there, 60)
