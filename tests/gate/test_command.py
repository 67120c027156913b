"""The command on a real controller with a simulated board, as CI runs it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, stop_all

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL, CI = EXAMPLES / "onnx" / "model.onnx", EXAMPLES / "ci"
JOB = """
apiVersion: jetfleet/v1
name: gated
model: {{onnx: {model}}}
variants: {{runtime: [simulated]}}
options: {{simulated: {{latency_ms: {latency_ms}}}}}
measure: {{runs: 2, warmup_s: 0, seconds: 0.05}}
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Job 1 is the baseline `main`, job 2 the same again, job 3 a tenth slower."""
    folder = tmp_path_factory.mktemp("gate")
    command = Command(folder / "state")
    for latency_ms in (2.0, 2.0, 2.2):
        path = folder / "job.yaml"
        path.write_text(JOB.format(model=MODEL, latency_ms=latency_ms))
        assert command("submit", str(path), "--wait").returncode == 0
    assert command("baseline", "set", "main", "1").returncode == 0
    yield command
    stop_all(command.state)


def test_what_got_slower_is_red_with_its_evidence(jobs: Command, tmp_path: Path) -> None:
    done = jobs("gate", "3", "--baseline", "main", "--junit", str(tmp_path / "gate.xml"), "--json")
    assert done.returncode == 3
    (cell,) = json.loads(done.stdout)["gate"]["cells"]
    assert (cell["verdict"], cell["metric"]) == ("FAILED", "p50_ms")
    assert 1.09 < cell["change_low"] < cell["change"] < cell["change_high"] < 1.11
    assert 'failures="1"' in (tmp_path / "gate.xml").read_text()


@pytest.mark.parametrize(("name", "variable"), [("github.yml", "job"), ("gitlab.yml", "JOB")])
def test_the_examples_find_the_job_in_what_submit_prints(
    jobs: Command, tmp_path: Path, name: str, variable: str
) -> None:
    """The line of the file itself, as a shell runs it."""
    path = tmp_path / "job.yaml"
    path.write_text(JOB.format(model=MODEL, latency_ms=2.0))
    done = jobs("submit", str(path), "--wait", "--json")
    (tmp_path / "submitted.json").write_text(done.stdout)
    lines = (CI / name).read_text().splitlines()
    (line,) = (line.strip().removeprefix("- ") for line in lines if "submitted.json" in line and "echo" in line)
    env = {"GITHUB_OUTPUT": "job.env", "PATH": os.environ["PATH"]}
    subprocess.run(["bash", "-euc", line], cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "job.env").read_text() == f"{variable}={json.loads(done.stdout)['job']['id']}\n"


def test_the_same_engine_passes_and_the_summary_says_so(jobs: Command, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    done = jobs("gate", "2", "--baseline", "main", GITHUB_STEP_SUMMARY=str(summary), GITHUB_ACTIONS="true")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("PASSED: job 2 against main (job 1)")
    assert "::notice title=jetfleet gate::PASSED" in done.stdout
    assert summary.read_text().startswith("### PASSED")


def test_a_board_that_takes_no_work_is_no_pass_and_nothing_waits_for_it(jobs: Command) -> None:
    (board,) = [item["name"] for item in json.loads(jobs("devices", "--json").stdout)["devices"]]
    assert jobs("devices", "cordon", board, "--reason", "its fan").returncode == 0
    try:
        done = jobs("gate", "2", "--baseline", "main")
    finally:
        assert jobs("devices", "uncordon", board).returncode == 0
    assert done.returncode == 3
    assert f"not in turns: {board} is cordoned" in done.stdout


def test_stored_numbers_of_a_board_that_repeated_nothing_cannot_tell_and_that_is_red(jobs: Command) -> None:
    stored = ("gate", "3", "--baseline", "1", "--stored", "--max-regression", "p50=9.5%")
    done = jobs(*stored)
    assert done.returncode == 3
    assert done.stdout.startswith("CANNOT_TELL")
    assert jobs(*stored, "--cannot-tell", "warn").returncode == 0


def test_a_gate_in_its_shadow_is_never_red(jobs: Command) -> None:
    done = jobs("gate", "3", "--baseline", "main", "--stage", "shadow")
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "FAILED")
    assert "not red: the gate's stage is shadow" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gate", "3"), "what is it held against?"),
        (("gate", "3", "--baseline", "nobody"), "there is no baseline 'nobody'"),
        (("gate", "3", "--baseline", "3"), "is its own baseline"),
        (("gate", "3", "--baseline", "99"), "there is no job 99"),
        (("gate", "3", "--baseline", "main", "--max-regression", "p50"), "not a valid limit"),
        (("baseline", "set", "9lives", "1"), "is not a valid name"),
        (("baseline", "set", "main", "99"), "there is no job 99"),
        (("baseline", "set", "main", "1", "--for", "nope"), "job 1 has no result of device class 'nope'"),
        (("gate", "3", "--baseline", "1", "--max-regression", "foo=3%"), "there is no metric 'foo'"),
    ],
)
def test_mistakes_are_told(jobs: Command, words: tuple[str, ...], message: str) -> None:
    done = jobs(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_baseline_of_a_class_is_of_one_that_its_job_was_measured_on(jobs: Command) -> None:
    (row,) = json.loads(jobs("results", "1", "--json").stdout)["results"]
    assert jobs("baseline", "set", "mine", "1", "--for", row["device"]).returncode == 0
    (found,) = json.loads(jobs("baseline", "show", "mine", "--json").stdout)["baselines"]
    (recommended,) = json.loads(jobs("recommend", "1", "--json").stdout)["recommended"]["classes"]
    assert found["device_class"] == recommended["device_class"]
    refused = jobs("baseline", "set", "mine", "1", "--for", "orin-nx, L4T 36.4.3")
    assert (refused.returncode, found["device_class"] in refused.stderr) == (2, True)


def test_a_baseline_moves_and_remembers(jobs: Command) -> None:
    assert jobs("baseline", "set", "release", "1").returncode == 0
    assert jobs("baseline", "set", "release", "2").returncode == 0
    now = json.loads(jobs("baseline", "list", "--json").stdout)["baselines"]
    assert [(item["name"], item["job_id"]) for item in now] == [("main", 1), ("mine", 1), ("release", 2)]
    was = json.loads(jobs("baseline", "show", "release", "--json").stdout)["baselines"]
    assert [item["job_id"] for item in was] == [2, 1]
