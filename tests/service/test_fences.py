"""What a call may touch before it was found to be right: nothing. Raw calls of strangers at a real server."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest

from controller.api.client import Client
from controller.model.job import Quantifier, Target
from controller.model.task import JobState
from jetfleet.errors import BadInput
from jetfleet.rpc import CALL_METADATA
from jetfleet.v1 import control_pb2, control_pb2_grpc, fleet_pb2, fleet_pb2_grpc, task_pb2
from testing.jobs import simulated_job, submit
from testing.processes import ControllerProcess, Process, wait_for
from tests.service.scripted import ScriptedAgent, measured

BOARD = task_pb2.Facts(arch="aarch64", simulated=True, runtimes={"simulated": "1"})
LEASE_S = 3.0


@pytest.fixture
def controller(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", lease_s=LEASE_S, renew_s=0.5)
    keep(process)
    return process.ready()


@pytest.fixture
def stub(controller: ControllerProcess) -> Iterator[fleet_pb2_grpc.FleetStub]:
    with grpc.insecure_channel(controller.address) as channel:
        yield fleet_pb2_grpc.FleetStub(channel)


def register(stub: fleet_pb2_grpc.FleetStub, name: str, **more: object) -> str:
    request = fleet_pb2.RegisterRequest(
        device_id=name, session_id=f"{name}-session", boot_id="boot", bench_domain=name, name=name, facts=BOARD, **more
    )
    stub.Register(request, metadata=CALL_METADATA, timeout=30)
    return request.session_id


def states(client: Client, job_id: int) -> list[str]:
    return [task.state.value for task in client.job(job_id).tasks]


def test_a_refused_commit_leaves_the_owners_lease_to_its_clock(
    controller: ControllerProcess, client: Client, stub: fleet_pb2_grpc.FleetStub, tmp_path: Path
) -> None:
    """The owner dies; a stranger's commit of its attempt must not keep the lease from expiring."""
    owner = register(stub, "owner")
    job_id = submit(client, simulated_job(tmp_path / "job", targets=(Target(Quantifier.EVERY),)))
    claim = fleet_pb2.ClaimRequest(session_id=owner, request_id="1")
    token = stub.Claim(claim, metadata=CALL_METADATA, timeout=30).lease.attempt_token
    stranger = register(stub, "stranger")
    outcome = task_pb2.Outcome(failure=task_pb2.Failure(message="mine"))
    commit = fleet_pb2.CommitRequest(session_id=stranger, attempt_token=token, outcome=outcome)
    with pytest.raises(grpc.RpcError):
        stub.Commit(commit, metadata=CALL_METADATA, timeout=30)
    register(stub, "thief", held_attempts=[token])
    assert "LEASED" in states(client, job_id)
    wait_for(lambda: "LEASED" not in states(client, job_id), what="the lease to expire", timeout_s=20 * LEASE_S)


def test_a_session_that_is_not_open_is_not_alive(
    controller: ControllerProcess, client: Client, stub: fleet_pb2_grpc.FleetStub
) -> None:
    session = register(stub, "board")
    stub.Leave(fleet_pb2.LeaveRequest(session_id=session), metadata=CALL_METADATA, timeout=30)
    for number in range(3):
        claim = fleet_pb2.ClaimRequest(session_id=session, request_id=str(number))
        with pytest.raises(grpc.RpcError):
            stub.Claim(claim, metadata=CALL_METADATA, timeout=30)
    assert [device.online for device in client.devices()] == [False]


@pytest.mark.parametrize("spoil", ["flag", "provenance", "rounds", "memory", "samples", "latency", "accuracy"])
def test_an_outcome_that_cannot_be_taken_does_not_hold_its_agent_up(
    controller: ControllerProcess, client: Client, tmp_path: Path, spoil: str
) -> None:
    with ScriptedAgent(controller.address, tmp_path / "agent", facts=BOARD) as agent:
        job_id = submit(client, simulated_job(tmp_path / "job"))
        build = agent.claim()
        agent.commit(build, agent.built(build))
        bench = agent.claim()
        outcome = measured(bench.task.bench)
        _spoil(outcome, spoil)
        assert agent.commit(bench, outcome) == "FAILED"
        assert agent.commit(bench, outcome) == "FAILED"
        again = submit(client, simulated_job(tmp_path / "again", name="again"))
        build = agent.claim()
        agent.commit(build, agent.built(build))
        bench = agent.claim()
        assert agent.commit(bench, measured(bench.task.bench)) == "SUCCEEDED"
    assert (client.job(job_id).state, client.job(again).state) == (JobState.FAILED, JobState.SUCCEEDED)
    (device,) = client.devices()
    assert len(device.dead_letters) == 1
    assert "dead letter 1" in str(client.job(job_id).tasks[-1].failure)


def _spoil(outcome: task_pb2.Outcome, how: str) -> None:
    item = outcome.measured.measurements[0]
    if how == "flag":
        item.flags.add(kind=99, evidence="of a newer agent")  # type: ignore[arg-type]
    elif how == "provenance":
        item.provenance = 77  # type: ignore[assignment]
    elif how == "rounds":
        item.rounds.add(n=1, p50_ms=float("nan"), mean_ms=1.0)
    elif how == "memory":
        outcome.peak_rss_bytes = 2**64 - 1
    elif how == "samples":
        item.n = 2**64 - 1
    elif how == "latency":
        item.metrics["p50_ms"].value = -1.0
    else:
        item.metrics["accuracy"].value = 7.0
        item.accuracy_n = 100


def test_numbers_beyond_64_bits_are_bad_input_everywhere(
    controller: ControllerProcess, client: Client, stub: fleet_pb2_grpc.FleetStub, tmp_path: Path
) -> None:
    for call in (client.job, client.cancel, client.retry, client.explain):
        with pytest.raises(BadInput):
            call(99999999999999999999)
    register(stub, "board")
    job_id = submit(client, simulated_job(tmp_path / "job"))
    listings = (client.jobs, client.engines, client.devices, partial(client.explain, job_id), client.access().audit)
    for listing in listings:
        for limit in (-1, 2**63, 99999999999999999999, 1.5, "1"):
            with pytest.raises(BadInput, match="is not a valid limit"):
                listing(limit=limit)
        assert listing(limit=0) == []
        assert len(listing(limit=10**12)) == len(listing())
    with grpc.insecure_channel(controller.address) as channel:
        control = control_pb2_grpc.ControlStub(channel)
        for ask, request in (
            (control.GetJob, control_pb2.GetJobRequest(job_id=2**64 - 1)),
            (control.CancelJob, control_pb2.CancelJobRequest(job_id=2**64 - 1)),
            (control.RetryJob, control_pb2.RetryJobRequest(job_id=2**64 - 1, idempotency_key="k")),
            (control.ExplainJob, control_pb2.ExplainJobRequest(job_id=2**64 - 1)),
            (control.Results, control_pb2.ResultsRequest(job_ids=[2**64 - 1])),
            (control.Results, control_pb2.ResultsRequest(before_id=2**64 - 1)),
            (control.GetEngine, control_pb2.GetEngineRequest(name="x", job_id=2**64 - 1)),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                ask(request, metadata=CALL_METADATA, timeout=30)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, ask
