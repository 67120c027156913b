"""Two sides of different versions, through a real controller: what is not known is told, and nothing is lost."""

from dataclasses import replace
from pathlib import Path

from controller.api.client import Client
from controller.model.job import CheckRule, OutputCheck
from controller.model.task import FailureKind
from jetfleet.v1 import task_pb2
from testing.jobs import submit
from testing.processes import ControllerProcess
from tests.service.scripted import ScriptedAgent, measured, tensorrt_job


def test_a_flag_of_a_newer_agent_fails_the_attempt_and_says_so(
    controller: ControllerProcess, client: Client, tmp_path: Path
) -> None:
    with ScriptedAgent(controller.address, tmp_path / "board") as board:
        job_id = submit(client, tensorrt_job(tmp_path / "job"))
        lease = board.claim()
        board.commit(lease, board.built(lease))
        bench = board.claim()
        answer = measured(bench.task.bench)
        answer.measured.measurements[0].flags.append(task_pb2.Flag(kind=99, evidence="of tomorrow"))
        assert board.commit(bench, answer) == "FAILED"
    task = client.job(job_id).tasks[-1]
    assert task.failure is not None
    assert task.failure.kind is FailureKind.BAD_INPUT
    assert "FlagKind 99 is not known to this version" in task.failure.message
    assert list(client.results()) == []


def test_a_failure_of_a_newer_agent_is_still_a_failure(
    controller: ControllerProcess, client: Client, tmp_path: Path
) -> None:
    with ScriptedAgent(controller.address, tmp_path / "board") as board:
        job_id = submit(client, tensorrt_job(tmp_path / "job"))
        lease = board.claim()
        board.commit(lease, task_pb2.Outcome(failure=task_pb2.Failure(kind=99, message="the sky fell")))
    task = client.job(job_id).tasks[0]
    assert task.failure is not None
    assert (task.failure.kind, task.failure.message) == (FailureKind.INFRASTRUCTURE, "the sky fell")


def test_rules_of_single_outputs_reach_the_board(controller: ControllerProcess, client: Client, tmp_path: Path) -> None:
    spec, files = tensorrt_job(tmp_path / "job")
    check = OutputCheck(CheckRule.COSINE, outputs={"boxes": OutputCheck(CheckRule.SET, min_agreement=0.5)})
    variants = tuple(replace(item, check=check) for item in spec.variants)
    with ScriptedAgent(controller.address, tmp_path / "board") as board:
        submit(client, (replace(spec, variants=variants), files))
        lease = board.claim()
        board.commit(lease, board.built(lease))
        told = board.claim().task.bench.subjects[0].check
    assert (told.rule, told.outputs["boxes"].rule) == (task_pb2.OutputCheck.RULE_COSINE, task_pb2.OutputCheck.RULE_SET)
    assert told.outputs["boxes"].min_agreement == 0.5
