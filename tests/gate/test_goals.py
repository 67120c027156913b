"""What the job file says that a decision is to be made by, and the command line that goes before it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, stop_all

MODEL = Path(__file__).parents[2] / "examples" / "onnx" / "model.onnx"
JOB = """
apiVersion: jetfleet/v1
name: goals
labels: {{commit: abc123}}
model: {{onnx: {model}}}
variants: {{runtime: [simulated]}}
measure: {{runs: 1, warmup_s: 0, seconds: 0.05}}
{goals}
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Job 1 has a limit that nothing keeps, job 2 another objective, job 3 none of both."""
    folder = tmp_path_factory.mktemp("goals")
    command = Command(folder / "state")
    for goals in ("constraints: {latency: 0.000001}", "objective: throughput\nconstraints: {latency: 1000}", ""):
        path = folder / "job.yaml"
        path.write_text(JOB.format(model=MODEL, goals=goals))
        done = command("submit", str(path), "--wait")
        assert done.returncode == 0, done.stderr
    yield command
    stop_all(command.state)


def decided(done: str) -> tuple[str, dict[str, float], list[bool]]:
    found = json.loads(done)["recommended"]
    return (
        found["goals"]["objective"],
        found["goals"]["constraints"],
        [bool(item["winner"]) for item in found["classes"]],
    )


def test_the_job_file_decides_unless_the_command_line_does(jobs: Command) -> None:
    assert decided(jobs("recommend", "1", "--json").stdout) == ("p50_ms", {"p50_ms": 1e-6}, [False])
    assert jobs("recommend", "1", "--require-winner").returncode == 3
    loose = jobs("recommend", "1", "--require", "p99_ms=1000", "--objective", "throughput", "--json")
    assert decided(loose.stdout)[:2] == ("throughput_per_s", {"p99_ms": 1000.0})
    assert decided(jobs("recommend", "3", "--json").stdout)[:2] == ("p50_ms", {})


def test_nothing_is_packaged_that_breaks_the_constraints_of_the_job(jobs: Command, tmp_path: Path) -> None:
    refused = jobs("package", "1", "-o", str(tmp_path / "bundle"), "--no-image")
    assert refused.returncode == 2
    assert "nothing to package" in refused.stderr


def test_a_report_is_decided_by_the_job_too(jobs: Command, tmp_path: Path) -> None:
    assert (
        jobs("report", "2", "-o", str(tmp_path / "report.html"), "--markdown", str(tmp_path / "report.md")).returncode
        == 0
    )
    for name in ("report.html", "report.md"):
        assert "best throughput_per_s within p50_ms 1000" in (tmp_path / name).read_text().replace("\\_", "_")


def test_jobs_that_disagree_ask_for_the_command_line(jobs: Command) -> None:
    refused = jobs("recommend", "1", "2")
    assert refused.returncode == 2
    assert "jobs 1 and 2 say different constraints" in refused.stderr
    assert jobs("recommend", "1", "2", "--require", "latency=1000").returncode == 0
    assert decided(jobs("recommend", "2", "3", "--json").stdout)[:2] == ("throughput_per_s", {"p50_ms": 1000.0})


def test_the_history_shows_the_jobs_with_their_commits(jobs: Command) -> None:
    (found,) = json.loads(jobs("history", "simulated-fp32-b1-cpu", "--json").stdout)["histories"]
    assert [(item["job_id"], item["commit"]) for item in found["points"]] == [
        (1, "abc123"),
        (2, "abc123"),
        (3, "abc123"),
    ]
    unknown = jobs("history", "simulated-fp64-b1-cpu")
    assert unknown.returncode == 2
    assert "nothing has measured 'simulated-fp64-b1-cpu'" in unknown.stderr
