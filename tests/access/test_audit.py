"""The audit log: every change of a real controller is in it, in its transaction; and what was done to it shows."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.api.control_client import ControlClient
from controller.maintenance.audit import parse_head, verify
from controller.model.access import Caller, CallerRole
from controller.model.audit import Deed
from controller.service.deeds import start_of
from controller.service.options import ServeOptions
from controller.store.commands.audit import noted
from controller.store.commands.tokens import revoke_token
from controller.store.queries.audit import audit_head
from controller.store.sqlite.database import open_database
from jetfleet.errors import BadInput, Denied, NotFound, Unauthenticated
from jetfleet.transport import Credentials
from testing.access import authority_of, enrol, person_credentials
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online


@pytest.fixture
def served(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", tls=True)
    keep(process)
    return process.ready()


@pytest.fixture
def owner(served: ControllerProcess) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


def run(served: ControllerProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "controller.cli.main", "--state", str(served.state_dir), "audit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def tamper(state_dir: Path, *statements: str) -> None:
    """As somebody who owns the file, and knows of the triggers."""
    with closing(sqlite3.connect(state_dir / "fleet.db", isolation_level=None)) as connection:
        for name in ("audit_UPDATE", "audit_DELETE", "audit_seal_UPDATE", "audit_seal_DELETE"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            connection.execute(statement)


def test_who_did_what_is_noted_and_no_secret_is(
    owner: Client, served: ControllerProcess, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    agent = AgentProcess(tmp_path / "board", served.address, name="board", facts=simulated_board())
    keep(agent)
    agent.start()
    wait_online(owner, "board")
    credentials = person_credentials(owner, served, name="ann", scope="submitter")
    job = submit(owner, simulated_job(tmp_path / "job", options={"fail": "crash"}))
    owner.wait(job)
    with ControlClient(served.people_address, credentials=credentials) as ann:
        again = ann.retry(job, idempotency_key="again").job_id
        ann.cancel(again)
        with pytest.raises(Denied):
            ann.access().audit()
    owner.change_device("board", label={"labels": {"rack": "a"}})
    owner.change_device("board", cordon="dusty")
    enrol(owner, tmp_path / "other", name="other")
    owner.access().revoke_device("other")
    owner.access().revoke_token("ann")
    entries = owner.access().audit()
    found = {entry.action: entry for entry in entries}
    assert {
        *("controller.start", "token.create", "token.revoke", "job.submit", "job.retry", "job.cancel", "call.refuse"),
        *("device.label", "device.cordon", "device.revoke"),
        *("enrolment.invite", "enrolment.use", "certificate.issue"),
    } <= set(found)
    assert (found["job.retry"].user, found["job.retry"].role) == ("ann", "submitter")
    assert (found["job.submit"].subject, found["job.cancel"].subject) == (f"job {job}", f"job {again}")
    assert found["device.cordon"].detail["cordon"] == "dusty"
    assert [entry.number for entry in entries] == list(range(len(entries), 0, -1))
    text = run(served, "list", "--json").stdout
    assert json.loads(text)["audit"][-1]["action"] == "controller.start"
    assert credentials.token
    assert credentials.token not in text


def test_a_change_that_failed_is_not_noted(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        with pytest.raises(NotFound):
            noted(
                connection,
                change=lambda open_: revoke_token(open_, "nobody"),
                by=Caller(CallerRole.OWNER, "me"),
                tell=lambda token: Deed("token.revoke", token.name),
            )
        assert audit_head(connection).number == 0
    engine.dispose()


def test_wrong_tokens_are_noted_and_cannot_flood(owner: Client, served: ControllerProcess) -> None:
    wrong = Credentials(authority_of(served), token="-".join(("made", "up")))
    for _ in range(30):
        with pytest.raises(Unauthenticated), ControlClient(served.people_address, credentials=wrong) as stranger:
            stranger.hello()
    refused = [entry for entry in owner.access().audit() if entry.action == "login.refuse"]
    assert [entry.detail["from"] for entry in refused] == ["ipv4:127.0.0.1"]
    assert refused[0].role == "stranger"
    assert "made-up" not in json.dumps(dict(refused[0].detail))


BREAKS = {
    "UPDATE audit SET user = 'somebody' WHERE number = 2": "entry 2 is not what was written",
    "UPDATE audit SET detail = '{}' WHERE number = 2": "entry 2 is not what was written",
    "UPDATE audit SET number = number + 1 WHERE number = 4": "entry 4 is missing: 5 comes next",
    "DELETE FROM audit WHERE number = 2": "entry 2 is missing",
    "DELETE FROM audit WHERE number > 2": "the log was cut short: it ends with entry 2, and a seal names entry 4",
    "UPDATE audit_seal SET signature = '00'": "not signed by this controller's authority",
    "UPDATE audit_seal SET number = 2": "entry 2 is not the one that a seal names",
}


def test_what_was_done_to_the_log_is_named(served: ControllerProcess, owner: Client, tmp_path: Path) -> None:
    for name in ("ann", "bob", "eve"):
        owner.access().create_token(name, scope="reader")
    served.stop()
    whole = run(served, "verify")
    assert (whole.returncode, whole.stderr.strip()) == (0, "4 entries, 1 seal: whole")
    for number, (statement, told) in enumerate(BREAKS.items()):
        copy = shutil.copytree(served.state_dir, tmp_path / str(number))
        tamper(copy, statement)
        assert told in verify(copy).fault, statement
    tamper(served.state_dir, "DELETE FROM audit WHERE number = 2")
    broken = run(served, "verify")
    assert (broken.returncode, broken.stderr.strip()) == (1, "entry 2 is missing: 3 comes next")
    document = json.loads(run(served, "verify", "--json").stdout)["audit_log"]
    assert (document["number"], document["is_intact"]) == (1, False)


def test_a_log_that_was_cut_with_its_seals_does_not_hold_the_noted_head(
    served: ControllerProcess, owner: Client
) -> None:
    for name in ("ann", "bob"):
        owner.access().create_token(name, scope="reader")
    served.stop()
    head = run(served, "verify").stdout.strip()
    assert run(served, "verify", "--head", head).returncode == 0
    tamper(served.state_dir, "DELETE FROM audit_seal", "DELETE FROM audit WHERE number > 1")
    assert run(served, "verify").returncode == 0
    assert "cut short" in run(served, "verify", "--head", head).stderr
    with pytest.raises(BadInput):
        parse_head("12:beef")


def test_nobody_changes_an_entry_by_hand(served: ControllerProcess) -> None:
    with closing(sqlite3.connect(served.state_dir / "fleet.db", isolation_level=None)) as connection:
        for statement in ("UPDATE audit SET user = 'x'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                connection.execute(statement)


def test_the_log_goes_on_after_a_restart_and_over_a_kill(
    served: ControllerProcess, owner: Client, keep: Callable[[Process], Process]
) -> None:
    owner.access().create_token("ann", scope="reader")
    served.kill()
    again = ControllerProcess(served.state_dir, tls=True)
    keep(again)
    with Client(again.ready().address) as client:
        actions = [entry.action for entry in client.access().audit()]
    assert actions == ["controller.start", "token.create", "controller.start"]
    assert verify(served.state_dir).is_intact


def test_a_start_tells_what_it_lets_others_do(tmp_path: Path) -> None:
    deed = start_of(ServeOptions(tmp_path, foreign_engines=False))
    assert deed.detail == {"state_dir": str(tmp_path), "foreign_engines": "False"}
