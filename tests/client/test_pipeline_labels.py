"""Labels of a job: what CI systems tell, who goes first, what may not be, and the way to the results and back."""

import os
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.api.pipeline_labels import VARIABLES, pipeline_labels
from controller.cli.labels import parse_labels
from controller.model.labels import check_labels
from controller.model.view import ResultQuery
from jetfleet.errors import BadInput
from testing.boards.facts import simulated_board
from testing.processes import AgentProcess, ControllerProcess, wait_online

JOB = """\
apiVersion: jetfleet/v1
name: labelled
model: {onnx: model.onnx}
variants: {runtime: [simulated]}
measure: {warmup_s: 0.1, seconds: 0.1, max_seconds: 1}
labels: {branch: yaml, data.set: digits}
"""
MODEL = Path(__file__).resolve().parents[2] / "examples" / "onnx" / "model.onnx"


@pytest.mark.parametrize(
    ("environment", "labels"),
    [
        ({}, {}),
        ({"CI": "true", "GITHUB_SHA": ""}, {}),
        ({"GITHUB_SHA": "abc", "GITHUB_REF_NAME": "main"}, {"commit": "abc", "branch": "main"}),
        (
            {"GITHUB_SHA": "abc", "GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "fix"},
            {"commit": "abc", "branch": "fix"},
        ),
        ({"CI_COMMIT_SHA": "abc", "CI_COMMIT_REF_NAME": "dev"}, {"commit": "abc", "branch": "dev"}),
        ({"BUILDKITE_COMMIT": "abc", "BUILDKITE_BRANCH": "dev"}, {"commit": "abc", "branch": "dev"}),
        ({"CIRCLE_SHA1": "abc"}, {"commit": "abc"}),
        ({"BUILD_SOURCEVERSION": "abc", "BUILD_SOURCEBRANCHNAME": "dev"}, {"commit": "abc", "branch": "dev"}),
        ({"GIT_COMMIT": "abc", "GIT_BRANCH": "origin/dev"}, {"commit": "abc", "branch": "origin/dev"}),
    ],
)
def test_each_system_tells_commit_and_branch(environment: dict[str, str], labels: dict[str, str]) -> None:
    assert pipeline_labels(environment) == labels
    assert {name for name, value in environment.items() if value} - {"CI"} <= VARIABLES


@pytest.mark.parametrize(
    "labels", [{"": "x"}, {'a"b': "x"}, {"-a": "x"}, {"a" * 64: "x"}, {"a": "x" * 257}, dict.fromkeys("ab" * 20, "x")]
)
def test_what_may_not_be_a_label(labels: dict[str, str]) -> None:
    if len(labels) > 1:
        labels = {f"name{number}": "x" for number in range(33)}
    with pytest.raises(BadInput):
        check_labels(labels)


def test_labels_of_a_command_line() -> None:
    assert parse_labels(["a=1", "b=x=y", "a=2"]) == {"a": "2", "b": "x=y"}
    for wrong in ("a", "=1", "a b=1"):
        with pytest.raises(BadInput):
            parse_labels([wrong])


def test_labels_go_with_a_job_to_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES & set(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITHUB_SHA", "c0ffee")
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    (tmp_path / "model.onnx").write_bytes(MODEL.read_bytes())
    (tmp_path / "job.yaml").write_text(JOB)
    controller = ControllerProcess(tmp_path / "state")
    agent = AgentProcess(tmp_path / "board", controller.address, name="board", facts=simulated_board())
    try:
        controller.ready()
        agent.start()
        with Client(controller.address, state_dir=tmp_path / "mine") as client:
            wait_online(client, "board")
            job = client.submit_file(tmp_path / "job.yaml", idempotency_key="once")
            wanted = {"commit": "c0ffee", "branch": "yaml", "data.set": "digits"}
            assert job.wait().labels == wanted
            (row,) = client.results(ResultQuery(labels={"data.set": "digits", "branch": "yaml"}))
            assert row.labels == wanted
            assert client.results(ResultQuery(labels={"data.set": "other"})) == []
            assert client.results(ResultQuery(labels={"branch": "yaml", "commit": "other"})) == []
            frame = client.results().to_pandas()
            assert list(frame[["commit", "branch", "label.data.set"]].iloc[0]) == ["c0ffee", "yaml", "digits"]
            assert row.task_id in [task.id for task in client.job(job.id).tasks]
            assert row.model_sha256 == frame["model_sha256"].iloc[0]
            assert len(row.model_sha256) == 64
    finally:
        agent.kill()
        controller.kill()
