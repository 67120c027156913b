"""An enrolled board that was rooted, against boards of its class, where each builds its own engines."""

import uuid
from collections.abc import Callable
from pathlib import Path

from controller.api.client import Client
from jetfleet.v1 import fleet_pb2
from testing.jobs import simulated_job, submit
from testing.processes import ControllerProcess, Process
from tests.attack.fleet import Fleet, RootedBoard, built
from tests.attack.outcome import Attack, holds


def work_of(board: RootedBoard) -> fleet_pb2.Lease:
    """What the board is handed next; without a token where there is nothing."""
    return board.say("Claim", request_id=uuid.uuid4().hex).lease


def test_an_engine_of_another_board_is_handed_to_nobody(
    tmp_path: Path, keep: Callable[[Process], Process], attacked: Callable[[str, Attack], None]
) -> None:
    controller = ControllerProcess(tmp_path / "state", lease_s=None)
    controller.arguments += ["--foreign-engines", "off"]
    keep(controller)
    controller.ready()

    def poisons_an_engine_of_its_class(_: Fleet) -> str:
        """It says that it shares, and is the first to build."""
        with Client(controller.address) as owner:
            honest, rooted = (RootedBoard(owner, controller, tmp_path / name, name) for name in ("honest", "rooted"))
            honest.register()
            request = rooted.registration()
            request.facts.own_engines_only = False
            rooted.call(rooted.fleet.Register, request)
            submit(owner, simulated_job(tmp_path / "job"))
            poison = rooted.upload("engine", b"poison") if (lease := work_of(rooted)).attempt_token else None
            assert poison is not None
            rooted.commit(lease, built(poison))
            first = work_of(honest)
            assert first.task.HasField("build")
            honest.commit(first, built(honest.upload("engine", b"its own")))
            second = work_of(honest)
            found = {subject.engine.sha256 for subject in second.task.bench.subjects}
            for board in (honest, rooted):
                board.channel.close()
            return holds(bool(found) and poison.sha256 not in found, "the other one builds its own, and runs that")

    attacked("rooted board", poisons_an_engine_of_its_class)
