"""/metrics and /healthz of a real controller: who may read them, what they say, and that docs list every number."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from controller.api.client import Client
from controller.model.removal import Retention
from controller.service.exposition import NUMBERS
from controller.service.tally import Durations
from jetfleet.v1 import task_pb2
from jetfleet.version import PROTOCOL, VERSION
from testing.access import authority_of
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online
from tests.operations.document import DOCUMENT, written
from tests.service.scripted import ORIN, ScriptedAgent

RULES = Path(__file__).resolve().parents[2] / "examples" / "alerts.yml"


@pytest.fixture
def served(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", tls=True)
    keep(process)
    return process.ready()


@pytest.fixture
def owner(served: ControllerProcess) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


def get(served: ControllerProcess, path: str, *, token: str = "", method: str = "GET") -> tuple[int, str]:
    context = ssl.create_default_context(cadata=authority_of(served).decode())
    host, _, port = served.metrics_address.rpartition(":")
    connection = HTTPSConnection(host, int(port), context=context, timeout=30)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def numbers(text: str) -> dict[str, float]:
    """By name and labels, as they are written."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}" if sample.labels else sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labelled(name: str, **labels: str) -> str:
    return f"{name}{sorted(labels.items())}"


def test_a_scrape_says_what_happened(
    served: ControllerProcess, owner: Client, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    token = owner.access().create_token("prometheus", scope="reader").secret
    agent = AgentProcess(tmp_path / "board", served.address, name="board", facts=simulated_board())
    keep(agent)
    agent.start()
    wait_online(owner, "board")
    owner.wait(submit(owner, simulated_job(tmp_path / "good")))
    owner.wait(submit(owner, simulated_job(tmp_path / "bad", name="bad", options={"fail": "crash"})))
    status, text = get(served, "/metrics", token=token)
    assert status == 200
    found = numbers(text)
    assert found[labelled("jetfleet_build_info", version=VERSION, protocol=str(PROTOCOL))] == 1
    assert found[labelled("jetfleet_jobs", state="ended")] == 2
    assert found[labelled("jetfleet_tasks", state="SUCCEEDED")] >= 1
    assert found[labelled("jetfleet_devices", state="online")] == 1
    assert found[labelled("jetfleet_attempts_ended_total", outcome="MEASURED")] == 1
    assert found[labelled("jetfleet_attempts_ended_total", outcome="CRASHED")] >= 1
    assert found[labelled("jetfleet_calls_total", method="Control/SubmitJob", code="OK")] == 2
    assert found[labelled("jetfleet_call_seconds_count", method="Control/SubmitJob")] == 2
    assert found["jetfleet_write_seconds_count"] > 5
    assert found["jetfleet_disk_free_bytes"] > found["jetfleet_disk_watermark_bytes"] > 0
    assert found["jetfleet_blob_bytes"] > 0
    assert found["jetfleet_devices_behind"] == 0
    assert found["process_resident_memory_bytes"] > 1e6
    families = {family.name for family in text_string_to_metric_families(text) if family.name.startswith("jetfleet")}
    assert families == {number.name for number in NUMBERS}


def test_work_that_is_given_back_is_counted_by_what_ended_it(
    served: ControllerProcess, owner: Client, tmp_path: Path
) -> None:
    token = owner.access().create_token("prometheus", scope="reader").secret
    facts = task_pb2.Facts()
    facts.CopyFrom(ORIN)
    facts.runtimes["simulated"] = "1"
    with ScriptedAgent(served.address, tmp_path / "first", facts=facts):
        submit(owner, simulated_job(tmp_path / "job"))
    for process in ("one", "two"):  # the second finds what the first had in hand gone
        with ScriptedAgent(served.address, tmp_path / process, facts=facts) as board:
            board.claim()
    owner.change_device("orin", remove={"force": True})
    found = numbers(get(served, "/metrics", token=token)[1])
    assert found[labelled("jetfleet_attempts_ended_total", outcome="EXPIRED")] == 1
    assert found[labelled("jetfleet_attempts_ended_total", outcome="RETURNED")] == 1


def test_removals_are_counted_by_whether_they_ended_well(served: ControllerProcess, owner: Client) -> None:
    token = owner.access().create_token("prometheus", scope="reader").secret
    owner.collect_garbage(Retention(older_than_s=0))
    found = numbers(get(served, "/metrics", token=token)[1])
    assert found[labelled("jetfleet_removals_total", outcome="DONE")] == 1
    assert found[labelled("jetfleet_removals_total", outcome="FAILED")] == 0


def test_only_a_token_that_is_valid_reads_the_numbers(served: ControllerProcess, owner: Client) -> None:
    token = owner.access().create_token("prometheus", scope="reader").secret
    assert get(served, "/metrics")[0] == 401
    assert get(served, "/metrics", token="x" * 40)[0] == 401
    assert get(served, "/metrics", token=token)[0] == 200
    owner.access().revoke_token("prometheus")
    assert get(served, "/metrics", token=token)[0] == 401
    refused = [entry for entry in owner.access().audit() if entry.action == "login.refuse"]
    assert [entry.subject for entry in refused] == ["metrics"]


def test_health_is_for_everybody_and_the_rest_is_not_there(served: ControllerProcess) -> None:
    assert get(served, "/healthz") == (200, "ok\n")
    assert get(served, "/")[0] == 404
    assert get(served, "/healthz", method="POST")[0] == 405


def test_plain_http_gets_nothing(served: ControllerProcess) -> None:
    host, _, port = served.metrics_address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in plain.recv(4096)


def test_durations_are_cumulative() -> None:
    durations = Durations((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        durations.add(seconds)
    assert durations.cumulative() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]


def test_the_document_lists_the_numbers() -> None:
    text = DOCUMENT.read_text()
    assert text == written(text), "run `make docs`"


def test_the_rules_ask_for_numbers_that_there_are() -> None:
    known = {number.name for number in NUMBERS}
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    for rule in rules:
        for name in re.findall(r"jetfleet_\w+", rule["expr"]):
            assert re.sub(r"_(total|bucket)$", "", name) in known, rule["alert"]
    assert len(rules) == len({rule["alert"] for rule in rules})
