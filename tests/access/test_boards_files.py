"""What an enrolled board reaches of files: those of its own live lease, and no others, whatever it knows of them."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from controller.api.client import Client
from controller.client.transfer import Transfer
from jetfleet.errors import Denied, JetfleetError
from jetfleet.rpc import CALL_METADATA, from_status
from jetfleet.transport import open_channel
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc, fleet_pb2, fleet_pb2_grpc, task_pb2
from testing.access import enrolled_credentials
from testing.jobs import simulated_job, submit
from testing.processes import ControllerProcess, Process
from tests.service.scripted import ORIN


class Board:
    """An enrolled board that says what it likes."""

    def __init__(self, owner: Client, served: ControllerProcess, folder: Path, name: str) -> None:
        self.channel = open_channel(served.agents_address, enrolled_credentials(owner, folder, name=name))
        self.fleet, self.blobs = fleet_pb2_grpc.FleetStub(self.channel), blobs_pb2_grpc.BlobsStub(self.channel)
        self.files = Transfer(self.channel, address=served.agents_address, timeout_s=20, patience_s=5)
        self.device_id, self.session, self.folder = (folder / "device_id").read_text(), uuid.uuid4().hex, folder
        self.name = name

    def register(self) -> None:
        facts = task_pb2.Facts()
        facts.CopyFrom(ORIN)
        facts.runtimes["simulated"] = "1"
        self.call(
            self.fleet.Register,
            fleet_pb2.RegisterRequest(
                device_id=self.device_id,
                session_id=self.session,
                boot_id=f"{self.name} boot",
                bench_domain=f"{self.name} domain",
                facts=facts,
                name=self.name,
            ),
        )

    def claim(self) -> fleet_pb2.Lease:
        request = fleet_pb2.ClaimRequest(session_id=self.session, request_id=uuid.uuid4().hex)
        request.wait.FromSeconds(10)
        lease = self.call(self.fleet.Claim, request).lease
        assert lease.attempt_token
        return lease

    def call(self, method: Callable[..., object], request: object) -> object:
        try:
            return method(request, timeout=20, metadata=CALL_METADATA)
        except grpc.RpcError as error:
            raise from_status(error, address="here") from None

    def read(self, sha256: str) -> bytes:
        try:
            parts = self.blobs.Download(blobs_pb2.DownloadRequest(sha256=sha256), timeout=20, metadata=CALL_METADATA)
            return b"".join(part.chunk for part in parts)
        except grpc.RpcError as error:
            raise from_status(error, address="here") from None

    def has(self, sha256: str) -> bool:
        return self.call(self.blobs.Stat, blobs_pb2.StatRequest(sha256=[sha256])).entries[0].complete

    def upload(self, name: str, content: bytes) -> task_pb2.Artifact:
        path = self.folder / name
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.files.upload({digest: path})
        return task_pb2.Artifact(role=task_pb2.ARTIFACT_ROLE_ENGINE, name=name, sha256=digest, size_bytes=len(content))


@pytest.fixture
def served(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", tls=True)
    keep(process)
    return process.ready()


@pytest.fixture
def owner(served: ControllerProcess) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


@pytest.fixture
def board(owner: Client, served: ControllerProcess, tmp_path: Path) -> Iterator[Board]:
    made = Board(owner, served, tmp_path / "board", "board")
    made.register()
    yield made
    made.channel.close()


def model_of(job: tuple[object, dict[str, Path]]) -> str:
    return next(sha256 for sha256, path in job[1].items() if path.name == "model.onnx")


def test_a_board_reads_what_its_lease_names_while_it_holds_it(owner: Client, board: Board, tmp_path: Path) -> None:
    mine = simulated_job(tmp_path / "mine", name="mine")
    submit(owner, mine)
    with pytest.raises(Denied):
        board.read(model_of(mine))  # not yet
    lease = board.claim()
    assert board.read(model_of(mine)) == b"a model of nothing mine"
    other = simulated_job(tmp_path / "other", name="other")
    submit(owner, other)
    with pytest.raises(Denied):
        board.read(model_of(other))
    assert board.has(model_of(mine))
    assert not board.has(model_of(other))  # nor whether it is there
    engine = board.upload("engine", b"an engine")
    outcome = task_pb2.Outcome(built=task_pb2.Built(engine=engine))
    outcome.built.build_time.FromSeconds(1)
    request = fleet_pb2.CommitRequest(session_id=board.session, attempt_token=lease.attempt_token, outcome=outcome)
    board.call(board.fleet.Commit, request)
    with pytest.raises(Denied):
        board.read(model_of(mine))  # no longer


def test_a_board_without_a_lease_stores_nothing(board: Board) -> None:
    with pytest.raises(Denied):
        board.upload("flood", b"x" * 100)


def test_a_file_of_another_job_cannot_be_called_ones_own_result(owner: Client, board: Board, tmp_path: Path) -> None:
    """Else the board's own BENCH would name it, and it would be handed the file."""
    secret = simulated_job(tmp_path / "secret", name="secret")
    owner._files.upload(secret[1])
    submit(owner, simulated_job(tmp_path / "mine", name="mine"))
    lease = board.claim()
    stolen = task_pb2.Artifact(
        role=task_pb2.ARTIFACT_ROLE_ENGINE, name="engine", sha256=model_of(secret), size_bytes=25
    )
    outcome = task_pb2.Outcome(built=task_pb2.Built(engine=stolen))
    outcome.built.build_time.FromSeconds(1)
    request = fleet_pb2.CommitRequest(session_id=board.session, attempt_token=lease.attempt_token, outcome=outcome)
    with pytest.raises(JetfleetError, match="to be sent once more"):
        board.call(board.fleet.Commit, request)
    with pytest.raises(Denied):
        board.read(model_of(secret))


def test_what_a_board_sends_again_after_a_restart_counts(
    owner: Client, served: ControllerProcess, board: Board, tmp_path: Path
) -> None:
    submit(owner, simulated_job(tmp_path / "mine", name="mine"))
    lease = board.claim()
    engine = board.upload("engine", b"an engine")
    board.channel.close()
    agents = served.agents_address
    served.kill()
    served.ready()
    assert agents
    again = Board.__new__(Board)
    again.__dict__.update(board.__dict__)
    from agent.daemon.credentials import read_credentials

    again.channel = open_channel(served.agents_address, read_credentials(board.folder))
    again.fleet, again.blobs = fleet_pb2_grpc.FleetStub(again.channel), blobs_pb2_grpc.BlobsStub(again.channel)
    again.files = Transfer(again.channel, address=served.agents_address, timeout_s=20, patience_s=5)
    outcome = task_pb2.Outcome(built=task_pb2.Built(engine=engine))
    outcome.built.build_time.FromSeconds(1)
    request = fleet_pb2.CommitRequest(session_id=again.session, attempt_token=lease.attempt_token, outcome=outcome)
    with pytest.raises(JetfleetError, match="to be sent once more"):
        again.call(again.fleet.Commit, request)
    again.upload("engine", b"an engine")
    assert again.call(again.fleet.Commit, request).task_state == "SUCCEEDED"
    again.channel.close()


def test_another_boards_attempt_is_out_of_reach(
    owner: Client, served: ControllerProcess, board: Board, tmp_path: Path
) -> None:
    submit(owner, simulated_job(tmp_path / "mine", name="mine"))
    lease = board.claim()
    rooted = Board(owner, served, tmp_path / "rooted", "rooted")
    rooted.register()
    failed = task_pb2.Outcome(failure=task_pb2.Failure(kind=task_pb2.FAILURE_KIND_CRASHED, message="mine now"))
    with pytest.raises(JetfleetError):
        rooted.call(
            rooted.fleet.Commit,
            fleet_pb2.CommitRequest(session_id=rooted.session, attempt_token=lease.attempt_token, outcome=failed),
        )
    report = fleet_pb2.AttemptReport(attempt_token=lease.attempt_token, running=True)
    answer = rooted.call(rooted.fleet.Renew, fleet_pb2.RenewRequest(session_id=rooted.session, attempts=[report]))
    assert answer.answers[0].directive == fleet_pb2.RenewResponse.DIRECTIVE_LOST
    mine = board.call(board.fleet.Renew, fleet_pb2.RenewRequest(session_id=board.session, attempts=[report]))
    assert mine.answers[0].directive == fleet_pb2.RenewResponse.DIRECTIVE_CONTINUE
    with pytest.raises(Denied):
        rooted.read(model_of(simulated_job(tmp_path / "mine", name="mine")))
    rooted.channel.close()
