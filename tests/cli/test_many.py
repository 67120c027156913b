"""Several jobs in one submit, jobs retried, their logs, and keys from pipelines: the command in real processes."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from controller.cli.failures import worst_exit_code
from jetfleet.blobs import BlobDir
from tests.cli.conftest import LIMIT_S, Command
from tests.cli.test_verbs import data

Model = Callable[..., Path]


def two(model: Model, **second: str) -> list[str]:
    """Two job files for one model."""
    first = model(name="first")
    kept = first.with_name("first.yaml")
    first.rename(kept)
    return [str(kept), str(model(name="second", **second))]


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_two_jobs_are_submitted_and_followed(fleet: Command, model: Model) -> None:
    done = fleet("submit", *two(model, options="{simulated: {fail: crash}}"), "--wait", "--json")
    assert done.returncode == 1, done.stderr
    ended = lines(done.stdout)
    assert [item["job"]["name"] for item in ended] == ["first", "second"]
    assert [item["job"]["state"] for item in ended] == ["SUCCEEDED", "FAILED"]
    assert [len(item["results"]) for item in ended] == [1, 0]

    shown = fleet("submit", *two(model))
    assert shown.returncode == 0
    assert [line.isdigit() for line in shown.stdout.splitlines()] == [True, True]
    labelled = fleet("submit", *two(model), "--label", "commit=1a2b", "--label", "branch=a=b")
    shown_jobs = [data(fleet("job", "show", number, "--json"))["job"] for number in labelled.stdout.split()]
    assert [job["labels"] for job in shown_jobs] == [{"commit": "1a2b", "branch": "a=b"}] * 2
    wrong = fleet("submit", *two(model), "--label", "commit")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'commit' is not a valid label" in wrong.stderr
    planned = fleet("submit", *two(model), "--dry-run", "--json")
    assert [item["submitted"]["job_id"] for item in lines(planned.stdout)] == [None, None]


def test_one_wrong_job_keeps_all_from_being_submitted(fleet: Command, model: Model) -> None:
    jobs = [job["id"] for job in data(fleet("jobs", "--json"))["jobs"]]
    wrong = two(model, modle="x")
    done = fleet("submit", *wrong, str(Path(wrong[0]).with_name("missing.yaml")))
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown key 'modle'" in done.stderr
    assert "missing.yaml" in done.stderr
    assert "2 of 3 jobs are wrong: none was submitted" in done.stderr
    nowhere = fleet("submit", *two(model, targets="[{every: {sku: agx-orin-64gb}}]"), "--json")
    assert nowhere.returncode == 4
    assert "1 of 2 jobs is wrong: none was submitted" in nowhere.stderr
    assert [job["id"] for job in data(fleet("jobs", "--json"))["jobs"]] == jobs


def test_every_mistake_of_every_file_is_told_before_anything_is_exported(command: Command, model: Model) -> None:
    first, second = two(model, variants="{runtime: [simulatd]}", measure="{seconds: long}", priority="high")
    Path(first).write_text(Path(first).read_text().replace("onnx: model.onnx", "torch: m:f, data: {evaluation: x.npz}"))
    done = command("submit", first, second, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    told = [json.loads(line)["error"]["message"] for line in done.stderr.splitlines() if line.startswith("{")]
    assert told == ["x.npz does not exist", *(f"{word!r} is not allowed here" for word in ("simulatd", "long", "high"))]
    assert not (command.state / "cache").exists()


def test_a_job_comes_from_standard_input(fleet: Command, model: Model) -> None:
    path = model()
    text = path.read_text().replace("onnx: model.onnx", f"onnx: {path.with_name('model.onnx')}")
    done = fleet("submit", "-", "--dry-run", "--json", typed=text)
    assert done.returncode == 0, done.stderr
    wrong = fleet("submit", "-", typed=text + "modle: 3\n")
    assert wrong.returncode == 2
    assert "standard input:6:1: unknown key 'modle'" in wrong.stderr


def test_a_key_that_was_used_for_something_else_is_a_mistake(fleet: Command, model: Model) -> None:
    first = fleet("submit", str(model()), "--idempotency-key", "mine")
    again = fleet("submit", str(model()), "--idempotency-key", "mine")
    assert (again.returncode, again.stdout) == (0, first.stdout)
    other = fleet("submit", str(model(priority="3")), "--idempotency-key", "mine")
    assert (other.returncode, other.stdout) == (2, "")
    assert f"the idempotency key 'mine' was used for job {first.stdout.strip()} (twice)" in other.stderr


def test_who_waits_says_for_whom_and_not_for_ever(fleet: Command, model: Model) -> None:
    slow = model(options="{simulated: {fail: hang}}")
    done = fleet("submit", str(slow), "--timeout", "1")
    assert done.returncode == 7, done.stderr
    number = done.stdout.strip()
    assert f"job {number} waits for board\n" in done.stderr
    assert f"the time of --timeout is over; job {number} goes on" in done.stderr
    assert fleet("job", "cancel", number).returncode == 0
    assert fleet("job", "watch", number, "--timeout", "50").returncode == 6


def test_a_measurement_that_is_not_valid_stops_at_the_gate(fleet: Command, model: Model) -> None:
    steady = fleet("submit", str(model()), "--require-valid")
    assert steady.returncode == 0, steady.stderr
    noisy = fleet("submit", str(model(options="{simulated: {jitter: 0.9}}", check="off")), "--require-valid")
    assert noisy.returncode == 3, noisy.stderr
    assert "--require-valid: 1 of 1 measurement is not VALID" in noisy.stderr


def test_a_failed_job_is_retried_and_its_logs_are_shown(fleet: Command, model: Model) -> None:
    broken = model(options="{simulated: {fail: crash}}")
    old = fleet("submit", str(broken), "--wait").stdout.split()[0]
    done = fleet("job", "retry", old, "--wait", "--json", "--idempotency-key", f"retry of {old}")
    assert done.returncode == 1, done.stderr
    new = json.loads(done.stdout)["job"]
    assert new["retry_of"] == int(old)
    again = fleet("job", "retry", old, "--idempotency-key", f"retry of {old}")
    assert again.stdout.strip() == str(new["id"])
    assert f"retries what did not succeed in job {old}" in fleet("job", "show", str(new["id"])).stdout

    task = next(item for item in new["tasks"] if item["logs"])
    logs = fleet("job", "logs", str(new["id"]))
    assert logs.returncode == 0, logs.stderr
    assert f"== task {task['id']}, {task['kind']} simulated-fp32-b1-cpu on board, attempt " in logs.stdout
    one = fleet("job", "logs", old, "--task", "4711")
    assert (one.returncode, one.stdout) == (2, "")
    assert "has no task 4711" in one.stderr
    raw = fleet("job", "logs", str(new["id"]), "--task", str(task["id"]), "--raw")
    assert "==" not in raw.stdout
    assert f"== task {task['id']}," in raw.stderr


def test_nothing_to_retry_is_a_mistake(fleet: Command, model: Model) -> None:
    good = fleet("submit", str(model()), "--wait").stdout.split()[0]
    done = fleet("job", "retry", good)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"everything in job {good} succeeded" in done.stderr


def test_a_pipeline_step_that_runs_again_finds_its_job(fleet: Command, model: Model) -> None:
    step = {"GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "bench"}
    job = str(model(name="from-ci"))
    first = fleet("submit", job, **step)
    assert "idempotency key from GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT, GITHUB_JOB and the job" in first.stderr
    again = fleet("submit", job, **step)
    assert again.stdout == first.stdout
    assert "this key was submitted before" in again.stderr
    shown = data(fleet("job", "show", first.stdout.strip(), "--json"))["job"]
    assert shown["total"] == 1  # the engine was built for another job
    assert f"job {shown['id']} exists already (1 task, " in again.stderr
    assert "submitted job" not in again.stderr
    assert fleet("submit", job, **{**step, "GITHUB_RUN_ATTEMPT": "2"}).stdout != first.stdout
    assert fleet("submit", job, "--idempotency-key", "mine", **step).stdout != first.stdout
    assert fleet("submit", job).stdout != first.stdout


def test_a_deadline_exits_with_7(fleet: Command, model: Model) -> None:
    slow = model(limits="{deadline_s: 2}", options="{simulated: {build_s: 600}}")
    done = fleet("submit", str(slow), "--wait")
    assert done.returncode == 7, done.stderr
    job_id = done.stdout.split()[0]
    shown = fleet("job", "show", job_id).stdout
    assert "  deadline 20" in shown
    assert "timed out: the job's deadline passed" in shown


def test_what_a_log_says_cannot_steer_a_terminal(fleet: Command, model: Model, tmp_path: Path) -> None:
    """As if a board had written it: the blob and its digest are right, and the bytes are not nice."""
    evil = tmp_path / "evil"
    evil.write_bytes(b"\x1b[31mred\x1b]0;title\x07 \xff\x00end")
    digest = BlobDir(fleet.state / "blobs").put_file(evil)
    job_id = fleet("submit", str(model(name="evil")), "--wait").stdout.split()[0]
    with closing(sqlite3.connect(fleet.state / "fleet.db")) as database, database:
        database.execute(
            "UPDATE attempt_artifact SET sha256 = ? WHERE role = 'log' AND attempt_token IN "
            "(SELECT token FROM attempt JOIN task ON task.id = task_id WHERE kind = 'BENCH' AND job_id = ?)",
            (digest, int(job_id)),
        )
    task = data(fleet("job", "show", job_id, "--json"))["job"]["tasks"][-1]
    shown = fleet("job", "logs", job_id, "--task", str(task["id"]))
    assert shown.stdout.splitlines()[1] == "red \ufffdend"
    raw = subprocess.run(
        [sys.executable, "-m", "controller.cli.main", "--state", str(fleet.state), "job", "logs", job_id, "--raw"],
        capture_output=True,
        timeout=LIMIT_S,
    )
    assert raw.stdout.endswith(evil.read_bytes())
    watcher, terminal = os.openpty()
    refused = subprocess.run(
        [sys.executable, "-m", "controller.cli.main", "--state", str(fleet.state), "job", "logs", job_id, "--raw"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
    )
    os.close(terminal)
    os.close(watcher)
    assert refused.returncode == 2
    assert "--raw is for a file or a pipe" in refused.stderr


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([0, 0], 0), ([0, 6], 6), ([6, 4], 4), ([4, 7], 7), ([7, 1, 4], 1), ([1, 2], 2)],
)
def test_the_worst_code_of_several_jobs(codes: list[int], code: int) -> None:
    assert worst_exit_code(codes) == worst_exit_code(codes[::-1]) == code
