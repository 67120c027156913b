"""People and CI over TLS: tokens, what each scope reaches, whose job it is, and what is left of a secret afterwards."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.api.control_client import ControlClient
from jetfleet.errors import BadInput, Conflict, Denied, JetfleetError, NotFound, Unauthenticated, Unreachable
from jetfleet.handshake import look_at
from jetfleet.transport import Credentials
from testing.access import authority_of, person_credentials
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online
from tests.cli.conftest import still_running, stop_all


@pytest.fixture
def served(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", tls=True)
    keep(process)
    return process.ready()


@pytest.fixture
def owner(served: ControllerProcess) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


@pytest.fixture
def board(owner: Client, served: ControllerProcess, tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    agent = AgentProcess(tmp_path / "board", served.address, name="board", facts=simulated_board())
    keep(agent)
    agent.start()
    wait_online(owner, "board")


def person(owner: Client, served: ControllerProcess, name: str, scope: str) -> Client:
    return Client(served.people_address, credentials=person_credentials(owner, served, name=name, scope=scope))


def test_a_submitter_runs_a_job_and_a_reader_reads_it(
    owner: Client, served: ControllerProcess, board: None, tmp_path: Path
) -> None:
    with person(owner, served, "ann", "submitter") as ann, person(owner, served, "bob", "reader") as bob:
        info = ann.hello()
        assert (info.user, info.role) == ("ann", "submitter")
        job = submit(ann, simulated_job(tmp_path / "job"))
        seen = bob.wait(job)
        assert (seen.state.value, seen.submitted_by) == ("SUCCEEDED", "ann")
        assert len(bob.results()) == 1
        bob.download(seen.tasks[0].log_sha256, tmp_path / "log")
        with pytest.raises(Denied):
            submit(bob, simulated_job(tmp_path / "other", name="other"))
        for refused in (lambda: bob.cancel(job), lambda: bob.retry(job), lambda: bob.access().tokens()):
            with pytest.raises(Denied):
                refused()
        with pytest.raises(Denied):
            ann.change_device("board", cordon="mine")
    assert len(owner.jobs()) == 1


def test_a_submitter_cancels_own_jobs_only_and_an_admin_all(
    owner: Client, served: ControllerProcess, board: None, tmp_path: Path
) -> None:
    slow = {"latency_ms": "20", "wall": "1"}
    with person(owner, served, "ann", "submitter") as ann, person(owner, served, "eve", "submitter") as eve:
        jobs = [submit(ann, simulated_job(tmp_path / str(n), name=str(n), options=slow)) for n in range(2)]
        with pytest.raises(Denied, match="submitted"):
            eve.cancel(jobs[0])
        assert owner.job(jobs[0]).state.value in ("WAITING", "RUNNING")
        with pytest.raises(NotFound):
            eve.cancel(999)
        ann.cancel(jobs[0])
        with person(owner, served, "root", "admin") as admin:
            admin.cancel(jobs[1])


def test_a_token_is_nobodys_before_it_was_made_after_its_end_and_once_it_is_revoked(
    owner: Client, served: ControllerProcess
) -> None:
    late = person_credentials(owner, served, name="late", scope="admin", lifetime_s=0.001)
    ann = person_credentials(owner, served, name="ann", scope="reader")
    ca = authority_of(served)
    for credentials, told in ((late, "expired"), (Credentials(ca, token=ann.token[:-1]), "not"), (Credentials(ca), "")):
        with Client(served.people_address, credentials=credentials) as client:
            with pytest.raises(Unauthenticated) as caught:
                client.hello()
            assert told in caught.value.message
    with Client(served.people_address, credentials=ann) as client:
        client.hello()
        owner.access().revoke_token("ann")
        with pytest.raises(Unauthenticated):
            client.hello()
    with pytest.raises(Conflict):  # what was done under a name stays its own
        owner.access().create_token("ann", scope="admin")
    with pytest.raises(BadInput):
        owner.access().create_token("zoe", scope="owner")


def awaited_job(owner: Client, served: ControllerProcess, tmp_path: Path) -> int:
    """It waits for a board that does not come back."""
    agent = AgentProcess(tmp_path / "gone", served.address, name="gone", facts=simulated_board())
    agent.start()
    try:
        wait_online(owner, "gone")
    finally:
        agent.kill()
    return submit(owner, simulated_job(tmp_path / "job"))


def test_a_revocation_ends_a_call_that_is_open(owner: Client, served: ControllerProcess, tmp_path: Path) -> None:
    """A watcher of a job that nobody runs would stay for good; it hears of it before anything else could tell it."""
    job = awaited_job(owner, served, tmp_path)
    heard: list[JetfleetError] = []
    with person(owner, served, "ann", "reader") as ann:
        began = threading.Event()

        def watch() -> None:
            try:
                for _ in ann.watch(job):
                    began.set()
            except JetfleetError as error:
                heard.append(error)

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert began.wait(30)
        owner.access().revoke_token("ann")
        watcher.join(30)
    assert [type(error) for error in heard] == [Unauthenticated]
    assert "while the call was open" in heard[0].message


def test_a_call_ends_with_the_token_that_opened_it(owner: Client, served: ControllerProcess, tmp_path: Path) -> None:
    job = awaited_job(owner, served, tmp_path)
    short = person_credentials(owner, served, name="ann", scope="reader", lifetime_s=3)
    with Client(served.people_address, credentials=short) as ann, pytest.raises(Unauthenticated) as caught:
        for _ in ann.watch(job):
            pass
    assert "while the call was open" in caught.value.message


def test_no_child_inherits_a_token(tmp_path: Path) -> None:
    """Not the controller that a command starts, which outlives it."""
    state, shown = tmp_path / "state", "a secret"
    try:
        assert cli(tmp_path, "--state", str(state), "jobs", JETFLEET_TOKEN=shown).returncode == 0
        pids = still_running(state, "serve")
        assert pids
        for pid in pids:
            assert b"a secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    finally:
        stop_all(state)


def test_no_secret_is_kept_or_logged(owner: Client, served: ControllerProcess) -> None:
    secret = person_credentials(owner, served, name="ann", scope="admin").token
    invitation = owner.access().invite().secret
    owner.access().revoke_token("ann")
    served.stop()
    found = [
        path
        for path in served.state_dir.rglob("*")
        if path.is_file() and any(text.encode() in path.read_bytes() for text in (secret, invitation))
    ]
    assert found == []


def cli(home: Path, *arguments: str, typed: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JETFLEET_")}
    return subprocess.run(
        [sys.executable, "-m", "controller.cli.main", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), **env},
    )


def test_login_keeps_the_controller_and_the_token_for_this_user_alone(
    owner: Client, served: ControllerProcess, tmp_path: Path
) -> None:
    token = person_credentials(owner, served, name="ann", scope="reader").token
    address, fingerprint = served.people_address, look_at(served.people_address).fingerprint
    unseen = cli(tmp_path, "login", address, typed=token)
    assert (unseen.returncode, "--fingerprint" in unseen.stderr) == (2, True)
    done = cli(tmp_path, "login", address, "--fingerprint", fingerprint, typed=f"{token}\n")
    assert done.returncode == 0, done.stderr
    assert "as ann (reader)" in done.stderr
    kept = tmp_path / "config" / "jetfleet" / "logins.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(cli(tmp_path, "jobs", "--json").stdout)["jobs"] == []  # the one that is talked to, from now on
    assert not (tmp_path / ".local").exists()
    kept.chmod(0o644)
    open_to_all = cli(tmp_path, "jobs")
    assert (open_to_all.returncode, "chmod 600" in open_to_all.stderr) == (2, True)
    kept.chmod(0o600)
    assert cli(tmp_path, "logout", address).returncode == 0
    assert token not in kept.read_text()


def test_login_sends_no_token_to_another_controller(owner: Client, served: ControllerProcess, tmp_path: Path) -> None:
    token = person_credentials(owner, served, name="ann", scope="reader").token
    done = cli(tmp_path, "login", served.people_address, "--fingerprint", f"sha256:{'0' * 64}", typed=token)
    assert done.returncode == 4
    assert "another one than was named" in done.stderr
    assert "asks for it" not in served.text()


def test_ci_needs_no_file(owner: Client, served: ControllerProcess, tmp_path: Path) -> None:
    token = person_credentials(owner, served, name="ci", scope="submitter").token
    env = {"JETFLEET_ADDRESS": served.people_address, "JETFLEET_TOKEN": token}
    ca = served.state_dir / "authority" / "ca.pem"
    for authority in (look_at(served.people_address).fingerprint, str(ca), ca.read_text()):
        done = cli(tmp_path, "jobs", "--json", **env, JETFLEET_CA=authority)
        assert done.returncode == 0, done.stderr
    refused = cli(tmp_path, "devices", "cordon", "x", **env, JETFLEET_CA=str(ca))
    assert (refused.returncode, "may not call" in refused.stderr) == (4, True)
    untrusted = cli(tmp_path, "jobs", **env)
    assert (untrusted.returncode, "controller login" in untrusted.stderr) == (4, True)


def test_the_token_command_shows_a_secret_once(served: ControllerProcess, tmp_path: Path) -> None:
    state = ("--state", str(served.state_dir))
    made = cli(tmp_path, *state, "token", "create", "ann", "--scope", "submitter", "--expires", "30d")
    secret = made.stdout.strip()
    assert len(secret) >= 43
    listed = cli(tmp_path, *state, "token", "list", "--json")
    assert secret not in listed.stdout
    found = json.loads(listed.stdout)["tokens"]
    assert [(item["name"], item["scope"], item["revoked_at"]) for item in found] == [("ann", "submitter", None)]
    assert cli(tmp_path, *state, "token", "revoke", "ann").returncode == 0
    with (
        ControlClient(served.people_address, credentials=Credentials(authority_of(served), token=secret)) as client,
        pytest.raises(Unauthenticated),
    ):
        client.hello()


def test_another_authority_is_told_apart_from_silence(served: ControllerProcess, tmp_path: Path) -> None:
    from controller.authority.authority import Authority

    (tmp_path / "other").mkdir()
    other = Credentials(Authority(tmp_path / "other").ca_pem, token=served.people_address)
    with ControlClient(served.people_address, credentials=other) as client, pytest.raises(Unauthenticated) as caught:
        client.hello()
    assert "another certificate authority" in caught.value.message
    served.stop()
    address = "127.0.0.1:1"
    with ControlClient(address, credentials=other) as client, pytest.raises(Unreachable):
        client.hello()
