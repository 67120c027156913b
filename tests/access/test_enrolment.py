"""A board becomes a member: the printed line in a real process, once; and who is let in afterwards."""

import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from agent.daemon.credentials import read_credentials
from agent.daemon.enrolment import tell_clock
from controller.api.client import Client
from controller.authority.authority import Authority
from controller.client.link import code_of
from jetfleet.certificates import make_key, make_request
from jetfleet.rpc import CALL_METADATA
from jetfleet.transport import Credentials, open_channel
from jetfleet.v1 import control_pb2, control_pb2_grpc, fleet_pb2, fleet_pb2_grpc
from testing.access import authority_of, enrol, enrolled_credentials
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_for, wait_online


@pytest.fixture
def served(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", tls=True)
    keep(process)
    return process.ready()


@pytest.fixture
def owner(served: ControllerProcess) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


def printed_line(served: ControllerProcess, *arguments: str) -> str:
    command = [sys.executable, "-m", "controller.cli.main", "--state", str(served.state_dir), "enroll", "new"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def run_line(line: str, state: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """As a shell would: what stands before the command goes into its environment."""
    token, *words = shlex.split(line)
    name, _, secret = token.partition("=")
    assert words[0] == "agent"
    command = [sys.executable, "-m", "agent.cli", *words[1:], "--state", str(state), *more]
    return subprocess.run(
        command, env={**os.environ, name: secret}, capture_output=True, text=True, timeout=60, check=False
    )


def start_enrolled(
    folder: Path, address: str, keep: Callable[[Process], Process], *, name: str, **more: object
) -> AgentProcess:
    process = AgentProcess(folder, address, name=name, facts=simulated_board(), **more)  # type: ignore[arg-type]
    keep(process)
    process.start()
    return process


def test_the_printed_line_makes_a_board_a_member_and_a_job_runs_there(
    served: ControllerProcess, owner: Client, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    line = printed_line(served, "--name", "orin-1", "--label", "rack=a")
    assert line.count("\n") == 0
    assert "--token" not in line  # others see a command line
    done = run_line(line, tmp_path / "board")
    assert done.returncode == 0, done.stderr
    assert "enrolled at" in done.stdout
    key = tmp_path / "board" / "credentials" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    start_enrolled(tmp_path / "board", served.agents_address, keep, name="anything")
    wait_online(owner, "orin-1")
    device = next(item for item in owner.devices() if item.name == "orin-1")
    assert device.facts["label.rack"] == "a"
    assert device.certificate_issued_at is not None
    job = submit(owner, simulated_job(tmp_path / "job"))
    assert owner.wait(job).state.value == "SUCCEEDED"


def test_a_second_time_there_is_nothing_to_do_and_the_token_is_used_up(
    served: ControllerProcess, tmp_path: Path
) -> None:
    line = printed_line(served)
    assert run_line(line, tmp_path / "board").returncode == 0
    again = run_line(line, tmp_path / "board")
    assert (again.returncode, "already enrolled" in again.stdout) == (0, True)
    thief = run_line(line, tmp_path / "thief")
    assert thief.returncode == 4
    assert "was used before" in thief.stderr


def test_an_invitation_that_is_over_lets_nobody_in(owner: Client, served: ControllerProcess, tmp_path: Path) -> None:
    made = owner.access().invite(lifetime_s=0.001)
    line = f"JETFLEET_JOIN_TOKEN={made.secret} agent enroll {made.address} --ca {made.ca_fingerprint}"
    done = run_line(line, tmp_path / "late")
    assert (done.returncode, "has expired" in done.stderr) == (4, True)
    done = run_line(line.replace(made.secret, "made-up"), tmp_path / "guess")
    assert (done.returncode, "is not known here" in done.stderr) == (4, True)


def test_nothing_is_sent_to_another_controller_than_was_named(served: ControllerProcess, tmp_path: Path) -> None:
    line = printed_line(served)
    other = Authority(make_folder(tmp_path / "other")).fingerprint
    wrong = line.rpartition(" ")[0] + f" {other}"
    done = run_line(wrong, tmp_path / "board")
    assert done.returncode == 4
    assert "another one than was named" in done.stderr
    assert run_line(line, tmp_path / "board").returncode == 0  # the token was not spent


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def hello(address: str, credentials: Credentials) -> grpc.StatusCode:
    with open_channel(address, credentials) as channel:
        try:
            control_pb2_grpc.ControlStub(channel).Hello(control_pb2.HelloRequest(), timeout=5, metadata=CALL_METADATA)
        except grpc.RpcError as error:
            return code_of(error) or grpc.StatusCode.UNKNOWN
    return grpc.StatusCode.OK


def test_who_has_no_certificate_of_this_authority_does_not_reach_the_agents_port(
    served: ControllerProcess, owner: Client, tmp_path: Path
) -> None:
    board = enrolled_credentials(owner, tmp_path / "board", name="board")
    ca, key = authority_of(served), make_key()
    stranger = trustme.CA().issue_cert("board.example")
    forged = Authority(make_folder(tmp_path / "other")).issue("board", make_request(key), lifetime_s=3600).pem
    assert hello(served.agents_address, board) is grpc.StatusCode.OK
    for credentials in (
        Credentials(ca),
        Credentials(ca, token=str(key)),
        Credentials(ca, key_pem=stranger.private_key_pem.bytes(), certificate_pem=stranger.cert_chain_pems[0].bytes()),
        Credentials(ca, key_pem=key, certificate_pem=forged),
    ):
        assert hello(served.agents_address, credentials) is grpc.StatusCode.UNAVAILABLE
    # Of this authority, for a board that it never let in.
    made = Authority(served.state_dir).issue("nobody", make_request(key), lifetime_s=3600).pem
    unknown = Credentials(ca, key_pem=key, certificate_pem=made)
    assert hello(served.agents_address, unknown) is grpc.StatusCode.UNAUTHENTICATED
    # And a board's certificate does not make it a controller, or a person.
    assert hello(served.people_address, board) is grpc.StatusCode.UNAUTHENTICATED


def registration(device_id: str, session_id: str = "s1") -> fleet_pb2.RegisterRequest:
    return fleet_pb2.RegisterRequest(
        device_id=device_id, session_id=session_id, boot_id="boot", bench_domain=f"domain {device_id}", name="me"
    )


def code_of_call(call: Callable[..., object], request: object) -> grpc.StatusCode:
    try:
        call(request, timeout=10, metadata=CALL_METADATA)
    except grpc.RpcError as error:
        return code_of(error) or grpc.StatusCode.UNKNOWN
    return grpc.StatusCode.OK


def test_a_board_is_who_its_certificate_says_whatever_it_writes(
    served: ControllerProcess, owner: Client, tmp_path: Path
) -> None:
    mine = enrolled_credentials(owner, tmp_path / "mine", name="mine")
    other = enrolled_credentials(owner, tmp_path / "other", name="other")
    ids = {name: (tmp_path / name / "device_id").read_text() for name in ("mine", "other")}
    with open_channel(served.agents_address, mine) as first, open_channel(served.agents_address, other) as second:
        mine_stub, other_stub = fleet_pb2_grpc.FleetStub(first), fleet_pb2_grpc.FleetStub(second)
        denied = grpc.StatusCode.PERMISSION_DENIED
        assert code_of_call(other_stub.Register, registration(ids["mine"])) is denied
        assert code_of_call(mine_stub.Register, registration(ids["mine"])) is grpc.StatusCode.OK
        assert code_of_call(other_stub.Register, registration(ids["other"], "s1")) is denied
        for call, request in (
            (other_stub.Claim, fleet_pb2.ClaimRequest(session_id="s1", request_id="r")),
            (other_stub.Renew, fleet_pb2.RenewRequest(session_id="s1")),
            (other_stub.Commit, fleet_pb2.CommitRequest(session_id="s1")),
            (other_stub.Leave, fleet_pb2.LeaveRequest(session_id="s1")),
        ):
            assert code_of_call(call, request) is denied
        assert code_of_call(mine_stub.Claim, fleet_pb2.ClaimRequest(session_id="s1", request_id="r")) is (
            grpc.StatusCode.OK
        )


def test_a_revoked_board_stops_within_a_second_and_comes_back_by_a_new_invitation(
    served: ControllerProcess, owner: Client, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    enrol(owner, tmp_path / "board", name="board")
    agent = start_enrolled(tmp_path / "board", served.agents_address, keep, name="board")
    wait_online(owner, "board")
    credentials = read_credentials(tmp_path / "board")
    assert credentials is not None
    owner.access().revoke_device("board")
    assert agent.wait() == 4  # its open Claim was ended: it would have lasted for twenty seconds
    assert "revoked" in agent.text()
    assert hello(served.agents_address, credentials) is grpc.StatusCode.UNAUTHENTICATED
    before = (tmp_path / "board" / "device_id").read_text()
    enrol(owner, tmp_path / "board", name="board")
    assert (tmp_path / "board" / "device_id").read_text() == before
    assert hello(served.agents_address, credentials) is grpc.StatusCode.UNAUTHENTICATED  # the old one
    start_enrolled(tmp_path / "board", served.agents_address, keep, name="board")
    wait_online(owner, "board")
    assert len(owner.devices()) == 1


def adopted(served: ControllerProcess, owner: Client, folder: Path, keep: Callable[[Process], Process]) -> AgentProcess:
    """A board that works as `orin`, by the id of its second life: its first one never enrolled."""
    first = AgentProcess(folder / "first", served.address, name="orin", facts=simulated_board())
    keep(first)
    first.start()
    wait_online(owner, "orin")
    first.stop()
    enrol(owner, folder / "second", name="later")
    owner.change_device("orin", adopt=(folder / "second" / "device_id").read_text().strip())
    second = start_enrolled(folder / "second", served.agents_address, keep, name="later")
    wait_online(owner, "orin")
    assert [device.name for device in owner.devices()] == ["orin"]
    return second


@pytest.mark.parametrize("how", ["remove", "revoke", "revoke by the name of the invitation"])
def test_all_certificates_of_a_board_that_was_adopted_end_with_it(
    served: ControllerProcess, owner: Client, tmp_path: Path, keep: Callable[[Process], Process], how: str
) -> None:
    agent = adopted(served, owner, tmp_path, keep)
    if how == "remove":
        owner.change_device("orin", remove={"force": True})
    else:
        owner.access().revoke_device("orin" if how == "revoke" else "later")
    assert agent.wait() == 4
    credentials = read_credentials(tmp_path / "second")
    assert credentials is not None
    assert hello(served.agents_address, credentials) is grpc.StatusCode.UNAUTHENTICATED


def test_the_board_that_is_listed_by_a_name_is_revoked_and_not_one_that_was_invited_by_it_once(
    served: ControllerProcess, owner: Client, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    enrol(owner, tmp_path / "one", name="orin", serial="1")
    start_enrolled(tmp_path / "one", served.agents_address, keep, name="orin")
    wait_online(owner, "orin")
    owner.change_device("orin", rename="old")
    enrol(owner, tmp_path / "other", name="orin", serial="2")
    start_enrolled(tmp_path / "other", served.agents_address, keep, name="orin")
    wait_online(owner, "orin", "old")
    owner.access().revoke_device("orin")
    one, other = read_credentials(tmp_path / "one"), read_credentials(tmp_path / "other")
    assert one is not None
    assert other is not None
    assert hello(served.agents_address, other) is grpc.StatusCode.UNAUTHENTICATED
    assert hello(served.agents_address, one) is grpc.StatusCode.OK


def test_a_board_that_was_flashed_again_is_the_same_device(
    served: ControllerProcess, owner: Client, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    enrol(owner, tmp_path / "before", name="orin", serial="1421")
    agent = start_enrolled(tmp_path / "before", served.agents_address, keep, name="orin")
    wait_online(owner, "orin")
    agent.stop()
    wait_for(lambda: not owner.devices()[0].online, what="the agent to leave")
    enrol(owner, tmp_path / "after", name="orin", serial="1421")
    assert (tmp_path / "after" / "device_id").read_text() == (tmp_path / "before" / "device_id").read_text()
    old = read_credentials(tmp_path / "before")
    assert old is not None
    assert hello(served.agents_address, old) is grpc.StatusCode.UNAUTHENTICATED
    other = enrol(owner, tmp_path / "stranger", name="orin-2", serial="1421")
    assert "orin-2" in other.message
    assert (tmp_path / "stranger" / "device_id").read_text() != (tmp_path / "after" / "device_id").read_text()


def test_the_agent_renews_its_certificate_while_it_runs(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    served = ControllerProcess(tmp_path / "state", tls=True, certificate_s=24.0)
    keep(served)
    served.ready()
    with Client(served.address) as owner:
        enrol(owner, tmp_path / "board", name="board")
        first = read_credentials(tmp_path / "board")
        assert first is not None
        agent = start_enrolled(tmp_path / "board", served.agents_address, keep, name="board")
        wait_online(owner, "board")

        def renewed() -> bool:
            agent.check()
            now = read_credentials(tmp_path / "board")
            return now is not None and now.certificate_pem != first.certificate_pem

        wait_for(renewed, what="a new certificate")
        agent.check()
        job = submit(owner, simulated_job(tmp_path / "job"))
        assert owner.wait(job).state.value == "SUCCEEDED"
        now = read_credentials(tmp_path / "board")
        assert now is not None
        assert now.key_pem == first.key_pem


@pytest.mark.parametrize(("here_s", "told"), [(0.0, "1970-01-01"), (2e9, "2033-05-18"), (1e9, "")])
def test_a_wrong_clock_is_told_with_both_times(here_s: float, told: str) -> None:
    said = tell_clock(here_s, 1e9 + 3)
    assert told in said
    assert bool(said) is bool(told)
    if said:
        assert said.startswith("clock: ")
        assert "2001-09-09" in said


def test_an_agent_that_did_not_enrol_says_how(served: ControllerProcess, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.cli", "run", "--state", str(tmp_path / "new")]
    done = subprocess.run(
        [*command, "--address", served.agents_address], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 4
    assert "controller enroll new" in done.stderr
