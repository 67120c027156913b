"""The fleet that is attacked: a controller on real ports, a board that works, a rooted one, people with tokens."""

import subprocess
import sys
import uuid
from pathlib import Path

from controller.api.client import Client
from controller.api.control_client import ControlClient
from controller.model.job import Condition, JobSpec, Op, Quantifier, Target
from jetfleet.rpc import CALL_METADATA
from jetfleet.transport import Credentials
from jetfleet.v1 import blobs_pb2, fleet_pb2, task_pb2
from testing.access import person_credentials
from testing.jobs import simulated_job, submit
from testing.processes import ControllerProcess
from tests.access.test_boards_files import Board
from tests.attack.outcome import AttackSucceeded
from tests.service.scripted import ORIN

SUBMITTER, OTHER_SUBMITTER, READER = "ann", "bob", "eve"


class RootedBoard(Board):
    """Enrolled, and says what it likes."""

    def registration(self, **forged: object) -> fleet_pb2.RegisterRequest:
        facts = task_pb2.Facts()
        facts.CopyFrom(ORIN)
        facts.runtimes["simulated"] = "1"
        honest: dict[str, object] = {
            "device_id": self.device_id,
            "session_id": self.session,
            "boot_id": f"{self.name} boot",
            "bench_domain": f"{self.name} domain",
            "facts": facts,
            "name": self.name,
        }
        return fleet_pb2.RegisterRequest(**{**honest, **forged})

    def say(self, call: str, **fields: object) -> object:
        """A call of the Fleet service, of this board's session unless another is named."""
        request = getattr(fleet_pb2, f"{call}Request")(**{"session_id": self.session, **fields})
        return self.call(getattr(self.fleet, call), request)

    def commit(self, lease: fleet_pb2.Lease, outcome: task_pb2.Outcome, **forged: object) -> str:
        answer = self.say("Commit", **{"attempt_token": lease.attempt_token, "outcome": outcome, **forged})
        return answer.task_state

    def send(self, header: blobs_pb2.UploadHeader, *chunks: bytes) -> object:
        parts = [blobs_pb2.UploadRequest(header=header), *(blobs_pb2.UploadRequest(chunk=item) for item in chunks)]
        return self.blobs.Upload(iter(parts), timeout=20, metadata=CALL_METADATA)


class Fleet:
    """`honest_lease` is held from the beginning to the end: whatever happens to it was done to it."""

    def __init__(self, folder: Path, controller: ControllerProcess) -> None:
        self.folder, self.controller, self.owner = folder, controller, Client(controller.address)
        self.people = {
            name: self._credentials(name, scope)
            for name, scope in ((SUBMITTER, "submitter"), (OTHER_SUBMITTER, "submitter"), (READER, "reader"))
        }
        self.honest, self.rooted = self.board("honest"), self.board("rooted")
        self.secret_job, self.secret_files = self.job_for("honest")
        self.honest_lease = self.honest.claim()
        self.job: int | None = None

    def _credentials(self, name: str, scope: str) -> Credentials:
        return person_credentials(self.owner, self.controller, name=name, scope=scope)

    def board(self, name: str) -> RootedBoard:
        """One more, whose channel is the caller's to close."""
        made = RootedBoard(self.owner, self.controller, self.folder / name, name)
        made.register()
        return made

    def person(self, name: str) -> ControlClient:
        return ControlClient(self.controller.people_address, credentials=self.people[name])

    @property
    def secret_sha256(self) -> str:
        """A file that the rooted board has no business with."""
        return next(sha256 for sha256, path in self.secret_files.items() if path.name == "model.onnx")

    def job_for(self, device: str, *, name: str = "") -> tuple[int, dict[str, Path]]:
        spec, files = job_spec(self.folder, device, name=name)
        return submit(self.owner, (spec, files)), files

    def lease(self) -> fleet_pb2.Lease:
        """A BUILD for the rooted board, which has nothing else to do."""
        self.idle()
        self.job, _ = self.job_for("rooted")
        return self.rooted.claim()

    def bench(self) -> fleet_pb2.Lease:
        """A BENCH for the rooted board, of an engine that it built."""
        self.rooted.commit(self.lease(), built(self.rooted.upload("engine", uuid.uuid4().bytes)))
        return self.rooted.claim()

    def idle(self) -> None:
        """The rooted board has nothing to do."""
        self.rooted.say("Leave")
        self.rooted.session = uuid.uuid4().hex
        self.rooted.register()
        if self.job is not None:
            self.owner.cancel(self.job)
            self.job = None

    def command(self, *arguments: str) -> str:
        """What a command of the owner's prints."""
        return self.run("controller.cli.main", "--state", str(self.controller.state_dir), *arguments)[1]

    def run(self, module: str, *arguments: str) -> tuple[int, str]:
        """The exit code of a command, and what it prints."""
        done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")

    def database_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.controller.state_dir.glob("fleet.db*"))

    def check(self) -> None:
        """The others work on as before. Raises AttackSucceeded."""
        self.controller.check()
        report = fleet_pb2.AttemptReport(attempt_token=self.honest_lease.attempt_token, running=True)
        answers = self.honest.say("Renew", attempts=[report]).answers
        if answers[0].directive != fleet_pb2.RenewResponse.DIRECTIVE_CONTINUE:
            raise AttackSucceeded("the other board lost its work")
        if self.owner.job(self.secret_job).state.value != "RUNNING":
            raise AttackSucceeded("the other board's job does not run any more")

    def close(self) -> None:
        for board in (self.honest, self.rooted):
            board.channel.close()
        self.owner.close()


def job_spec(folder: Path, device: str, *, name: str = "") -> tuple[JobSpec, dict[str, Path]]:
    """Its files are like no other job's."""
    target = Target(Quantifier.EVERY, (Condition("device", Op.EQUALS, (device,)),))
    name = name or f"for {device} {uuid.uuid4().hex}"
    return simulated_job(folder / "jobs" / uuid.uuid4().hex, name=name, targets=(target,))


def failed(message: str = "it fell over") -> task_pb2.Outcome:
    return task_pb2.Outcome(failure=task_pb2.Failure(kind=task_pb2.FAILURE_KIND_CRASHED, message=message))


def built(engine: task_pb2.Artifact) -> task_pb2.Outcome:
    outcome = task_pb2.Outcome(built=task_pb2.Built(engine=engine))
    outcome.built.build_time.FromSeconds(1)
    return outcome
