"""The command where nothing runs yet, and where nothing can."""

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from controller.api.discovery import connect
from controller.store.sqlite.database import FILE_NAME, open_database
from jetfleet.version import VERSION
from testing.jobs import simulated_job, submit
from testing.processes import wait_for
from tests.cli.conftest import LIMIT_S, Command, still_running, stop_all
from tests.faults.evidence import assert_invariants


def test_help_and_version_need_nothing(command: Command) -> None:
    assert command("--version").stdout == f"{VERSION}\n"
    shown = command("--help")
    assert shown.returncode == 0
    for verb in ("submit", "jobs", "job", "devices", "results", "schema", "query", "serve"):
        assert f"\n  {verb} " in shown.stdout
    assert not command.state.exists()


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["job", "show", "twelve"], ["submit"], ["jobs", "--limit", "0"], ["job", "show", "0"]]
)
def test_wrong_usage_exits_with_2(command: Command, arguments: list[str]) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_the_schema_is_json(command: Command) -> None:
    assert "$schema" in json.loads(command("schema").stdout)


def test_an_address_that_does_not_answer_starts_nothing(command: Command) -> None:
    nowhere = f"unix:{command.state.parent}/nowhere.sock"
    for done in (command("jobs", "--address", nowhere, "--json"), command("jobs", "--json", JETFLEET_ADDRESS=nowhere)):
        assert (done.returncode, done.stdout) == (4, "")
        assert json.loads(done.stderr)["error"]["kind"] == "Unreachable"
    assert not command.state.exists()


@pytest.mark.parametrize("address", ["192.0.2.1:50051", "127.0.0.1:50051", "localhost:1"])
def test_nothing_is_said_over_tcp_to_whom_nobody_logged_in_at(command: Command, address: str) -> None:
    done = command("jobs", "--address", address)
    assert done.returncode == 4
    assert f"controller login {address}" in done.stderr


def test_no_database_yet(command: Command) -> None:
    done = command("query", "select 1")
    assert done.returncode == 2
    assert "--state" in done.stderr


def test_ctrl_c_ends_a_query_that_never_would(command: Command) -> None:
    command.state.mkdir()
    with closing(sqlite3.connect(command.state / "fleet.db")) as connection:
        connection.execute("CREATE TABLE job (id INTEGER)")
    endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    process = command.start("query", endless)
    database = os.fsencode(command.state / "fleet.db")
    opened = Path(f"/proc/{process.pid}/fd")
    wait_for(lambda: database in {_target(link) for link in opened.iterdir()}, what="the query to open the file")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


def _target(link: Path) -> bytes:
    try:
        return os.readlink(os.fsencode(link))
    except OSError:  # closed meanwhile
        return b""


def test_a_newer_database_is_said_so_by_whoever_meets_it(command: Command) -> None:
    command.state.mkdir(mode=0o700)
    open_database(command.state).dispose()
    with closing(sqlite3.connect(command.state / FILE_NAME)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    done = command("jobs", "--json")
    assert (done.returncode, done.stdout) == (4, "")
    assert json.loads(done.stderr.splitlines()[-1])["error"]["kind"] == "DatabaseTooNew"


def test_two_commands_at_once_share_one_controller(command: Command) -> None:
    started = [command.start("jobs", "--json") for _ in range(3)]
    for process in started:
        out, err = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, json.loads(out)["jobs"]) == (0, []), err
    log = (command.state / "logs" / "controller.log").read_text()
    assert len(re.findall("serving", log)) == 1


def test_a_long_state_folder_works_too(tmp_path: Path) -> None:
    command = Command(tmp_path / ("long" * 30))
    try:
        assert json.loads(command("jobs", "--json").stdout)["jobs"] == []
    finally:
        stop_all(command.state)


def test_the_first_command_of_a_newcomer(command: Command, model: Callable[..., Path]) -> None:
    job = model(variants="", name="first")
    done = command("submit", str(job), "--wait", "--json")
    assert done.returncode == 0, done.stderr
    assert "starting one for" in done.stderr
    assert "starting 1 local agent" in done.stderr
    document = json.loads(done.stdout)
    (result,) = document["results"]
    assert (result["device"], result["provenance"]) == ("local-1", "MEASURED")
    assert result["facts"]["label.local"] == "1"

    more = command("submit", str(job), "--dry-run", "--local=2", "--json")
    assert {task["device"] for task in json.loads(more.stdout)["submitted"]["tasks"]} >= {"local-1", "local-2"}


def test_a_job_without_a_device_is_refused_before_anything_is_uploaded(
    command: Command, model: Callable[..., Path]
) -> None:
    done = command("submit", str(model(targets="[{every: {sku: orin-nano-8gb}}]")))
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert "which misses sku = orin-nano-8gb" in done.stderr
    assert [path for path in (command.state / "blobs").rglob("*") if path.is_file()] == []


def test_local_agents_that_differ_never_share_a_moment(command: Command, model: Callable[..., Path]) -> None:
    job = model(targets="[{every: {label.local: '1'}}]")
    done = command("submit", str(job), "--local-threads", "1,2", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["results"]
    assert {(row["device"], row["facts"]["cpu_count"]) for row in rows} == {("local-1", 1), ("local-2", 2)}
    assert_invariants(command.state)
    assert command("submit", str(job), "--local-threads", "0,a").returncode == 2


PORTS = ("--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0")


def announced(process: "subprocess.Popen[str]") -> str:
    """Where a controller serves, once it does: a command before that would start one of its own."""
    assert process.stderr is not None
    while not (found := re.search(r"on (127\.0\.0\.1:\d+)", line := process.stderr.readline())):
        assert line, "it stopped before it served"
    return found[1]


def test_serve_says_where_it_is_and_stops_when_asked(command: Command) -> None:
    process = command.start("serve", *PORTS)
    announced(process)
    socket = f"unix:{command.state}/controller.sock"
    assert json.loads(command("jobs", "--json", "--address", socket).stdout)["jobs"] == []
    assert json.loads(command("jobs", "--json").stdout)["jobs"] == []
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (0, "")


def test_a_spawned_controllers_death_is_explained(command: Command) -> None:
    command.state.mkdir()
    (command.state / "fleet.db").mkdir()
    done = command("jobs")
    assert done.returncode == 4
    assert done.stderr.splitlines()[1].startswith("error: ")


def test_serve_brings_its_local_agents_and_takes_them_along(command: Command) -> None:
    process = command.start("serve", *PORTS, "--local")
    try:
        announced(process)
        wait_for(lambda: "local-1" in command("devices").stdout, what="the local agent")
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    assert still_running(command.state) == []


def test_watching_wakes_the_agents_that_a_job_waits_for(
    command: Command, model: Callable[..., Path], tmp_path: Path
) -> None:
    assert command("submit", str(model()), "--dry-run").returncode == 0
    for pid in still_running(command.state, "agent.cli"):
        os.kill(pid, signal.SIGTERM)  # as it stops by itself when it has long been idle
    wait_for(lambda: "offline" in command("devices").stdout, what="the agent to leave")
    with connect(command.state) as client:
        job_id = submit(client, simulated_job(tmp_path / "job"))
    done = command("job", "watch", str(job_id), "--json")
    assert done.returncode == 0, done.stderr
    assert "starting 1 local agent" in done.stderr
    assert json.loads(done.stdout)["job"]["state"] == "SUCCEEDED"
