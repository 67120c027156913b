"""Engines are native code: boards of one class share them, unless somebody says that each builds its own."""

from collections.abc import Callable, Sequence
from pathlib import Path

from agent.daemon.own_engines import OwnEngines
from controller.api.client import Client
from jetfleet.v1 import task_pb2
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online


def builds_on_two_boards(
    tmp_path: Path, keep: Callable[[Process], Process], controller: ControllerProcess, *, of_one: Sequence[str] = ()
) -> int:
    keep(controller)
    controller.ready()
    with Client(controller.address) as client:
        for name, extra in (("one", tuple(of_one)), ("two", ())):
            agent = AgentProcess(
                tmp_path / "agents" / name, controller.address, name=name, facts=simulated_board(), extra=extra
            )
            keep(agent)
            agent.start()
        wait_online(client, "one", "two")
        job = client.wait(submit(client, simulated_job(tmp_path / "job")))
        assert job.state.value == "SUCCEEDED"
        assert len(client.results()) == 2
        return sum(task.kind.value == "BUILD" for task in job.tasks)


def test_boards_of_one_class_share_an_engine(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    assert builds_on_two_boards(tmp_path, keep, ControllerProcess(tmp_path / "state")) == 1


def test_a_board_that_wants_none_of_others_builds_its_own(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    controller = ControllerProcess(tmp_path / "state")
    assert builds_on_two_boards(tmp_path, keep, controller, of_one=("--foreign-engines", "off")) == 2


def test_a_controller_can_say_so_for_all(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    controller = ControllerProcess(tmp_path / "state", lease_s=None)
    controller.arguments += ["--foreign-engines", "off"]
    assert builds_on_two_boards(tmp_path, keep, controller) == 2


def test_boards_that_are_online_are_planned_for_anew(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    """A controller that is started again with sharing off."""
    controller = ControllerProcess(tmp_path / "state", lease_s=None)
    builds_on_two_boards(tmp_path, keep, controller)
    controller.stop()
    controller.arguments += ["--foreign-engines", "off"]
    controller.ready()
    with Client(controller.address) as client:
        wait_online(client, "one", "two")
        assert all(device.facts["own_engines_only"] is True for device in client.devices())
        job = client.wait(submit(client, simulated_job(tmp_path / "other", name="other")))
    assert sum(task.kind.value == "BUILD" for task in job.tasks) == 2


def test_an_agent_refuses_what_it_did_not_build_whatever_it_is_handed(tmp_path: Path) -> None:
    task = task_pb2.TaskSpec()
    task.bench.subjects.add().engine.sha256 = "ab" * 32
    own = OwnEngines(tmp_path, only=True)
    refused = own.fault(task)
    assert refused is not None
    assert "was not built here" in refused.failure.message
    built = task_pb2.Outcome()
    built.built.engine.sha256 = "ab" * 32
    own.note(built)
    assert own.fault(task) is None
    assert OwnEngines(tmp_path, only=True).fault(task) is None  # after a restart
    assert OwnEngines(tmp_path / "other", only=False).fault(task) is None
    assert own.fault(task_pb2.TaskSpec(build=task_pb2.BuildTask())) is None
