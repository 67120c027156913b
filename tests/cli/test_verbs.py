"""The verbs against a running controller with one simulated board: data on stdout, talk on stderr, exit codes."""

import csv
import io
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.conftest import LIMIT_S, Command

Model = Callable[..., Path]


def data(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_job_from_its_file_to_its_numbers(fleet: Command, model: Model) -> None:
    done = fleet("submit", str(model()), "--wait")
    assert done.returncode == 0, done.stderr
    job_id, heading, row, *notes = done.stdout.splitlines()
    assert heading.split()[:4] == ["job", "variant", "device", "provenance"]
    assert row.split()[:4] == [job_id, "simulated-fp32-b1-cpu", "board", "SIMULATED"]
    assert notes[-1].strip() == "1 of 1 row is SIMULATED: made-up numbers, not measurements"
    assert "BENCH simulated-fp32-b1-cpu: done on board" in done.stderr
    assert f"job {job_id}: done, 2 of 2 tasks ended" in done.stderr

    shown = data(fleet("job", "show", job_id, "--json"))["job"]
    assert (shown["state"], shown["done"], len(shown["tasks"])) == ("SUCCEEDED", 2, 2)
    listed = data(fleet("jobs", "--json"))["jobs"]
    assert int(job_id) in [job["id"] for job in listed]
    assert "tasks" not in listed[0]
    assert data(fleet("job", "why", job_id, "--json"))["reasons"] == []

    (record,) = data(fleet("results", job_id, "--where", "sku=orin-nano-8gb", "--json"))["results"]
    assert (record["provenance"], record["facts"]["jetpack"]) == ("SIMULATED", "6.2")
    assert data(fleet("results", job_id, "--where", "jetpack>=7", "--json"))["results"] == []
    assert data(fleet("results", job_id, "--variant", "other", "--json"))["results"] == []
    (line,) = csv.DictReader(io.StringIO(fleet("results", job_id, "--csv").stdout))
    assert (line["job_id"], line["provenance"]) == (job_id, "SIMULATED")
    asked = data(fleet("query", "select job_id from v_results group by job_id order by job_id", "--json"))
    assert asked["columns"] == ["job_id"]
    assert [int(job_id)] in asked["rows"]


def test_a_wrong_output_exits_with_1(fleet: Command, model: Model) -> None:
    done = fleet("submit", str(model(options="{simulated: {output_error: 0.5}}")), "--wait")
    assert done.returncode == 1
    assert "WRONG_OUTPUT" in done.stdout


def test_a_failed_task_exits_with_1_and_says_why(fleet: Command, model: Model) -> None:
    done = fleet("submit", str(model(options="{simulated: {fail: crash}}")), "--wait", "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["job"]["state"] == "FAILED"


def test_a_dry_run_stores_nothing(fleet: Command, model: Model) -> None:
    before = data(fleet("jobs", "--json"))
    done = fleet("submit", str(model(name="dry")), "--dry-run", "--json")
    assert "dry run: nothing was stored" in done.stderr
    plan = data(done)["submitted"]
    assert plan["job_id"] is None
    assert {task["kind"] for task in plan["tasks"]} == {"BUILD", "BENCH"}
    assert data(fleet("jobs", "--json")) == before


def test_the_same_key_is_the_same_job(fleet: Command, model: Model) -> None:
    first = fleet("submit", str(model()), "--idempotency-key", "once")
    again = fleet("submit", str(model()), "--idempotency-key", "once")
    assert first.stdout == again.stdout
    assert f"it is job {first.stdout.strip()}" in again.stderr


def test_no_device_matches_and_the_nearest_miss_is_named(fleet: Command, model: Model) -> None:
    done = fleet("submit", str(model(targets="[{every: {sku: agx-orin-64gb}}]")), "--json")
    assert done.returncode == 4
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["kind"] == "NoDevice"
    assert "board" in done.stderr
    assert "orin-nano-8gb" in done.stderr


def test_a_mistake_in_the_job_file_names_the_place(fleet: Command, model: Model) -> None:
    done = fleet("submit", str(model(modle="x")))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "job.yaml:6" in done.stderr


def test_ctrl_c_detaches_and_the_job_goes_on(fleet: Command, model: Model) -> None:
    slow = model(options="{simulated: {build_s: 600}}")
    watching = fleet.start("submit", str(slow), "--wait")
    assert watching.stdout is not None
    assert watching.stderr is not None
    job_id = watching.stdout.readline().strip()
    while "BUILD" not in (line := watching.stderr.readline()):
        assert line, "it ended before the job was shown"
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=LIMIT_S)
    assert watching.returncode == 130
    assert f"controller --state {fleet.state} job watch {job_id}" in said
    assert "Traceback" not in said

    waiting = data(fleet("job", "why", job_id, "--json"))["reasons"]
    assert waiting, "detaching must not have stopped the job"
    assert fleet("job", "cancel", job_id).returncode == 0
    watched = fleet("job", "watch", job_id)
    assert watched.returncode == 6
    assert f"job {job_id}: cancelled" in watched.stderr


def test_devices(fleet: Command) -> None:
    (listed,) = data(fleet("devices", "list", "--json"))["devices"]
    assert (listed["name"], listed["online"], listed["facts"]["simulated"]) == ("board", True, True)
    assert data(fleet("devices", "show", "board", "--json"))["device"]["id"] == listed["id"]
    shown = dict(line.split(maxsplit=1) for line in fleet("devices", "show", "board").stdout.splitlines())
    assert (shown["sku"], shown["power_mode"]) == ("orin-nano-8gb", "unknown")
    missing = fleet("devices", "show", "nobody")
    assert missing.returncode == 2
    assert "expected: one of: board" in missing.stderr
    assert fleet("devices").stdout.splitlines()[0].split()[0] == "device"


def test_an_unknown_job_is_a_mistake(fleet: Command) -> None:
    for verb in (["job", "show"], ["job", "watch"], ["job", "cancel"], ["results"]):
        done = fleet(*verb, "4711")
        assert (done.returncode, done.stdout) == (2, ""), verb
        assert "4711" in done.stderr


def test_bad_sql_is_a_mistake(fleet: Command) -> None:
    done = fleet("query", "selct 1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: SQL: ")


def test_a_second_controller_is_refused(fleet: Command) -> None:
    done = fleet("serve", "--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0")
    assert done.returncode == 4
    assert "another controller" in done.stderr
    assert "serving" not in done.stderr
