"""Listings come in pages: nothing is left out or told twice, and no message is too large."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import Client
from controller.service.pages import page_of, page_size
from jetfleet.errors import BadInput
from jetfleet.rpc import raising
from jetfleet.v1 import control_pb2, fleet_pb2, fleet_pb2_grpc
from testing.jobs import simulated_job, submit
from testing.processes import ControllerProcess

NAMES = ["b1", "b10", "b2", "b3", "b4"]


@pytest.fixture
def boards(client: Client) -> list[str]:
    """Devices that said hello once."""
    stub = fleet_pb2_grpc.FleetStub(client._channel)
    for name in NAMES:
        request = fleet_pb2.RegisterRequest(
            device_id=name, session_id=f"{name}/1", boot_id="b", bench_domain=name, name=name
        )
        request.facts.arch, request.facts.simulated = "aarch64", True
        request.facts.runtimes["simulated"] = "1"
        raising(stub.Register, address=client.address)(request, timeout=10)
    return NAMES


def pages(client: Client, method: str, request: Any) -> Iterator[Any]:
    call = raising(getattr(client._stub, method), address=client.address)
    while True:
        answer = call(request, timeout=10)
        yield answer
        if not answer.next_page:
            return
        request.page = answer.next_page


@pytest.mark.parametrize("limit", [1, 2, 5, 0])
def test_every_listing_is_whole_however_small_its_pages(
    client: Client, boards: list[str], tmp_path: Path, limit: int
) -> None:
    jobs = [submit(client, simulated_job(tmp_path / str(n), options={"x": str(n)}), key=str(n)) for n in range(3)]
    listed: list[tuple[str, Any, Callable[[Any], list[Any]], list[Any]]] = [
        ("ListDevices", control_pb2.ListDevicesRequest(limit=limit), lambda a: [d.name for d in a.devices], boards),
        ("ListJobs", control_pb2.ListJobsRequest(limit=limit), lambda a: [j.id for j in a.jobs], jobs[::-1]),
    ]
    for method, request, items, expected in listed:
        answers = [items(answer) for answer in pages(client, method, request)]
        assert [item for page in answers for item in page] == expected
        assert all(len(page) <= (limit or 1000) for page in answers)
    reasons = control_pb2.ExplainJobRequest(job_id=jobs[0], limit=limit)
    told = [item.task_id for answer in pages(client, "ExplainJob", reasons) for item in answer.reasons]
    assert told == [task.id for task in client.job(jobs[0]).tasks]
    engines = control_pb2.ListEnginesRequest(limit=limit)
    keys = [item.recipe.options["x"] for answer in pages(client, "ListEngines", engines) for item in answer.engines]
    assert sorted(keys) == ["0", "1", "2"]


def test_a_client_takes_as_many_as_it_wants(client: Client, boards: list[str]) -> None:
    assert [device.name for device in client.devices()] == boards
    assert [device.name for device in client.devices(2)] == boards[:2]


def test_a_page_that_nobody_gave_out_is_a_mistake(client: Client) -> None:
    call = raising(client._stub.ListJobs, address=client.address)
    with pytest.raises(BadInput, match="next_page"):
        call(control_pb2.ListJobsRequest(page="x"), timeout=10)


def test_a_page_ends_where_a_message_would_be_too_large() -> None:
    found = [control_pb2.Device(name=str(number), cordoned="x" * (1 << 20)) for number in range(5)]
    sizes, left = [], found
    while left:
        messages, following = page_of(left, page_size(0), encode=lambda item: item, cursor=lambda item: item.name)
        sizes.append(len(messages))
        left = found[int(following) + 1 :] if following else []
    assert sizes == [1, 1, 1, 1, 1]
    assert page_size(5000) == page_size(0) == 1000


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_damaged_rows_are_counted_and_stop_nobody(
    client: Client, controller: ControllerProcess, boards: list[str], tmp_path: Path, limit: int
) -> None:
    jobs = [submit(client, simulated_job(tmp_path / str(n), options={"x": str(n)}), key=str(n)) for n in range(3)]
    with closing(sqlite3.connect(controller.state_dir / "fleet.db")) as database, database:
        database.execute("UPDATE job SET labels = '{' WHERE id = ?", (jobs[1],))
        database.execute("UPDATE engine SET recipe = '{' WHERE key = (SELECT min(key) FROM engine)")
    answers = list(pages(client, "ListJobs", control_pb2.ListJobsRequest(limit=limit)))
    assert [job.id for answer in answers for job in answer.jobs] == [jobs[2], jobs[0]]
    found = client.jobs(), client.engines()
    assert [(len(items), items.unreadable) for items in found] == [(2, 1), (2, 1)]
    assert all(repr(items).splitlines()[-1] == "1 row cannot be read: controller fsck" for items in found)
    for verb in ("jobs", "engines"):
        line = [sys.executable, "-m", "controller.cli.main", "--address", controller.address, verb]
        shown, data = (subprocess.run([*line, *more], capture_output=True, text=True) for more in ([], ["--json"]))
        assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "  1 row cannot be read: controller fsck")
        assert json.loads(data.stdout)["unreadable"] == 1
