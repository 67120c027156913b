"""Sides of different versions, as real processes: served, or told who needs upgrade to what, and never just offline.

A protocol of another version is planted before anything else of the program is loaded.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from controller.api.client import Client
from controller.record.devices import upgrade_record
from jetfleet.errors import JetfleetError, NeedsUpgrade, Unauthenticated
from jetfleet.handshake import look_at
from jetfleet.rpc import CALL_METADATA
from jetfleet.v1 import control_pb2, control_pb2_grpc
from jetfleet.version import PROTOCOL, VERSION
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_for, wait_online
from testing.views import device

PLANTED = """
import sys
from jetfleet import version
version.PROTOCOL, version.VERSION = int(sys.argv[1]), sys.argv[2]
del sys.argv[1:3]
from {module} import main
main()
"""
NEWER, OLDER = (str(PROTOCOL + 1), "9.0.0"), (str(PROTOCOL - 1), "0.0.9")


@pytest.fixture
def served(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", tls=True)
    keep(process)
    return process.ready()


@pytest.fixture
def owner(served: ControllerProcess) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


def planted(arguments: list[str], *, version: tuple[str, str], module: str) -> list[str]:
    """Of a program that is started with -m."""
    assert arguments[0] == "-m"
    return ["-c", PLANTED.format(module=module), *version, *arguments[2:]]


@pytest.mark.parametrize(
    ("version", "told"),
    [(NEWER, "the controller needs upgrade to 9.0.0"), (OLDER, f"the caller needs upgrade to {VERSION}")],
)
def test_an_agent_of_another_protocol_is_told_and_shown(
    served: ControllerProcess,
    owner: Client,
    tmp_path: Path,
    keep: Callable[[Process], Process],
    version: tuple[str, str],
    told: str,
) -> None:
    agent = AgentProcess(tmp_path / "board", served.address, name="board", facts=simulated_board())
    keep(agent)
    agent.start()
    wait_online(owner, "board")
    agent.stop()
    for name in ("board", "new"):
        other = AgentProcess(tmp_path / name, served.address, name=name, facts=simulated_board())
        other.arguments = planted(other.arguments, version=version, module="agent.cli")
        keep(other)
        other.start()
        assert told in last_words(other)
    shown = {device.name: device for device in owner.devices()}
    for name in ("board", "new"):
        assert told in shown[name].refused
    text = verb(served, "devices", "list").stdout
    assert "refused" in text
    upgrades = json.loads(verb(served, "devices", "upgrade", "--json").stdout)["upgrades"]
    assert {item["device"] for item in upgrades} == {"board", "new"}
    again = AgentProcess(tmp_path / "board", served.address, name="board", facts=simulated_board())
    keep(again)
    again.start()
    wait_online(owner, "board")
    assert next(device for device in owner.devices() if device.name == "board").refused == ""


def last_words(agent: AgentProcess) -> str:
    """Of an agent that gives up."""
    wait_for(lambda: agent.popen is not None and agent.popen.poll() is not None, what="the agent to give up")
    return agent.log.read_text()


def verb(served: ControllerProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "controller.cli.main", "--state", str(served.state_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_an_agent_of_another_version_and_the_same_protocol_is_served(
    served: ControllerProcess, owner: Client, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    agent = AgentProcess(tmp_path / "board", served.address, name="board", facts=simulated_board())
    agent.arguments = planted(agent.arguments, version=(str(PROTOCOL), "0.1.9"), module="agent.cli")
    keep(agent)
    agent.start()
    wait_online(owner, "board")
    assert owner.wait(submit(owner, simulated_job(tmp_path / "job"))).state.value == "SUCCEEDED"
    (upgrade,) = json.loads(verb(served, "devices", "upgrade", "--json").stdout)["upgrades"]
    assert (upgrade["version"], upgrade["wanted"], upgrade["refused"]) == ("0.1.9", VERSION, None)
    shown = wait_for(lambda: _with_pulse(owner), what="the board's clock")
    assert abs(shown[0]) <= shown[1] + 0.5
    text = verb(served, "devices", "show", "board").stdout
    assert f"0.1.9, and the controller {VERSION}" in text
    assert "nothing that is ready fits it" in text
    assert "GB" in text


def _with_pulse(owner: Client) -> tuple[float, float] | None:
    (device,) = owner.devices()
    if device.clock_ahead_s is None or device.disk_free_bytes is None:
        return None
    return device.clock_ahead_s, device.clock_bound_s


@pytest.mark.parametrize(
    ("version", "told"),
    [(NEWER, "the controller needs upgrade to 9.0.0"), (OLDER, f"the caller needs upgrade to {VERSION}")],
)
def test_a_command_line_of_another_protocol_is_told(
    served: ControllerProcess, version: tuple[str, str], told: str
) -> None:
    words = ["-m", "controller.cli.main", "--state", str(served.state_dir), "--address", served.address, "jobs"]
    command = [sys.executable, *planted(words, version=version, module="controller.cli.main")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert told in done.stderr


def test_what_speaks_no_protocol_at_all_is_told(served: ControllerProcess) -> None:
    with grpc.insecure_channel(served.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            control_pb2_grpc.ControlStub(channel).Hello(control_pb2.HelloRequest())
        assert f"needs upgrade to {VERSION}" in str(caught.value) or "different protocol" in str(caught.value)


def test_plain_text_at_the_port_of_tls_gets_no_answer_and_is_not_let_in(served: ControllerProcess) -> None:
    """It cannot be told: what it hears must be TLS. docs/operations.md says what an old one shows then."""
    with grpc.insecure_channel(served.people_address) as channel, pytest.raises(grpc.RpcError) as caught:
        control_pb2_grpc.ControlStub(channel).Hello(control_pb2.HelloRequest(), timeout=20, metadata=CALL_METADATA)
    assert "UNAVAILABLE" in str(caught.value)


def test_tls_at_a_port_of_plain_text_says_what_needs_upgrade() -> None:
    """As a controller of 0.1 listened."""
    from concurrent.futures import ThreadPoolExecutor

    old = grpc.server(ThreadPoolExecutor(1))
    port = old.add_insecure_port("127.0.0.1:0")
    old.start()
    try:
        with pytest.raises(Unauthenticated, match="does not speak TLS") as caught:
            look_at(f"127.0.0.1:{port}")
        assert f"upgrade to {VERSION}" in caught.value.hint
    finally:
        old.stop(None)


def test_a_newer_controller_tells_the_agent_and_the_command_line(
    tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    newer = ControllerProcess(tmp_path / "state")
    script = newer.arguments[1]
    plant = f"from jetfleet import version\nversion.PROTOCOL, version.VERSION = {NEWER[0]}, {NEWER[1]!r}\n"
    newer.arguments[1] = plant + script
    keep(newer)
    newer.start()
    told = wait_for(lambda: _refusal(newer.address), what="the controller")
    assert "the caller needs upgrade to 9.0.0" in told
    agent = AgentProcess(tmp_path / "board", newer.address, name="board", facts=simulated_board())
    keep(agent)
    agent.start()
    assert "the caller needs upgrade to 9.0.0" in last_words(agent)


def _refusal(address: str) -> str:
    try:
        with Client(address) as client:
            client.hello()
    except NeedsUpgrade as error:
        return error.hint
    except JetfleetError:
        pass
    return ""


def test_a_command_is_for_what_the_board_runs() -> None:
    orin = device(name="orin", facts={"container": "docker", "l4t": "36.4.3"}, agent_version="0.1.0")
    found = upgrade_record(orin, wanted="0.2.0")
    assert found is not None
    assert found["prepare"] == "controller image --for orin --build"
    assert found["command"] == "sudo agent install --container --image localhost/jetfleet-agent:0.2.0-l4t36.4.3"
    native = upgrade_record(replace(orin, facts={"container": "none"}), wanted="0.2.0")
    assert native is not None
    assert "jetfleet[agent]==0.2.0" in native["command"]
    assert upgrade_record(replace(orin, agent_version="0.2.0"), wanted="0.2.0") is None
