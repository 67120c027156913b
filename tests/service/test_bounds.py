"""What a caller may send, and what one message holds."""

import dataclasses
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.service.bounds import check_room, trim_tasks
from jetfleet.errors import BadInput, DiskFull
from jetfleet.rpc import raising
from jetfleet.v1 import control_pb2, fleet_pb2, fleet_pb2_grpc
from testing.jobs import simulated_job


def test_a_job_of_fifty_thousand_tasks_fits_into_a_message() -> None:
    job = control_pb2.Job(id=1, done=49_990, total=50_000)
    for number in range(50_000):
        state = "FAILED" if number == 49_000 else "LEASED" if number > 49_995 else "SUCCEEDED"
        job.tasks.add(id=number + 1, kind="BENCH", name="simulated-fp32-b1-cpu" * 3, state=state, device="orin-1")
    assert job.ByteSize() > 4 << 20
    trim_tasks(job)
    assert job.ByteSize() < 4 << 20
    assert len(job.tasks) > 10_000
    assert job.total == 50_000
    assert {task.state for task in job.tasks if task.id > 49_000} >= {"FAILED", "LEASED"}
    assert [task.id for task in job.tasks] == sorted(task.id for task in job.tasks)


def test_a_small_job_is_whole() -> None:
    job = control_pb2.Job(id=1, total=1)
    job.tasks.add(id=1)
    trim_tasks(job)
    assert len(job.tasks) == 1


def test_room_is_kept_on_the_disk(tmp_path: Path) -> None:
    check_room(tmp_path, size_bytes=1, min_free_percent=0)
    with pytest.raises(DiskFull, match="no room"):
        check_room(tmp_path, size_bytes=1 << 60, min_free_percent=0)
    with pytest.raises(DiskFull, match="99"):
        check_room(tmp_path, size_bytes=1, min_free_percent=99.9)


@pytest.mark.parametrize(
    "change", [{"name": "x" * 300}, {"hardware_serial": "x" * 5000}, {"facts": {"kernel": "x" * 70_000}}]
)
def test_an_agent_cannot_register_without_bounds(client: Client, change: dict[str, object]) -> None:
    request = fleet_pb2.RegisterRequest(**{"device_id": "d", "session_id": "s", "boot_id": "b", **change})
    call = raising(fleet_pb2_grpc.FleetStub(client._channel).Register, address=client.address)
    with pytest.raises(BadInput):
        call(request, timeout=10)


def test_a_job_cannot_have_any_name(client: Client, tmp_path: Path) -> None:
    spec, files = simulated_job(tmp_path)

    with pytest.raises(BadInput, match="at most 256"):
        client.submit_spec(dataclasses.replace(spec, name="x" * 1000), files, validate_only=True)
