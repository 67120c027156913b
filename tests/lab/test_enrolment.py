"""A fleet that enrols by the printed line only: hosts of a network of their own, one behind a router, two with wrong
clocks, one whose certificate is revoked, one flashed anew. In this order; each test begins where the last ended.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.machine import describe
from controller.api.client import Client
from controller.model.job import Condition, Op, Quantifier, Target
from controller.model.task import JobState
from jetfleet.address import socket_address
from testing.jobs import simulated_job, submit
from testing.processes import Process, wait_for
from tests.house.source import ROOT
from tests.lab.lan import Lan, install_tools

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

BOARDS = ("orin-1", "orin-2")
BEHIND = "orin-3"
CLOCKS = {"slow": "-400d", "fast": "+400d"}
HOSTS = ("controller", *BOARDS, *CLOCKS, "lost", "thief")
FIRST_HEARTBEAT_BAR_S, REVOCATION_BAR_S = 5.0, 1.0
SEEN: list[tuple[str, str, str]] = []


def note(what: str, seen: object, *, bar: str = "", met: bool | None = None) -> None:
    verdict = {True: f"{bar}: met", False: f"{bar}: missed", None: ""}[met]
    SEEN.append((what, str(seen), verdict))


@pytest.fixture(scope="module", autouse=True)
def record() -> Iterator[None]:
    """Written where all of it was seen."""
    yield
    rows = [row for row in SEEN if row[0] != "end"]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    sys.stdout.write("\n" + "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows))
    if os.environ.get("JETFLEET_RECORD") != "1" or not SEEN or SEEN[-1][0] != "end":
        return
    machine = describe()
    about = ", ".join(f"{key} {value}" for key, value in machine.items())
    lines = [
        "# Enrolment by the printed line",
        "",
        "Written by `make lab-enrolment`: hosts in network namespaces on one bridge, one of them behind a router that",
        "translates addresses and itself closed to whatever comes in. All share the machine's cores and hardware.",
        "Simulated boards: no GPU, no Jetson.",
        "",
        f"{about}.",
        "",
        "| what | seen | bar |",
        "| --- | --- | --- |",
        *(f"| {what} | {seen} | {bar} |" for what, seen, bar in rows),
    ]
    (ROOT / "docs/measured/lab-enrolment.md").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if os.geteuid():
        pytest.skip("only root may make network namespaces")
    install_tools()
    made = Lan(HOSTS, behind=BEHIND)
    with made:
        yield made


class Fleet:
    """A controller as people run it, and the homes of the boards' users."""

    def __init__(self, lan: Lan, folder: Path) -> None:
        self.lan, self.folder = lan, folder
        self.state_dir = folder / "controller" / "state"
        address = lan.address("controller")
        ports = ["--listen", f"{address}:50051", "--agents", f"{address}:50052"]
        arguments = ["-m", "controller.cli.main", "--state", str(self.state_dir), "serve", *ports]
        self.controller = Process(arguments, folder / "controller.log", prefix=lan.inside("controller"))
        self.agents: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, *words: str) -> str:
        """What `controller ...` printed."""
        controller = [sys.executable, "-m", "controller.cli.main", "--state", str(self.state_dir), *words]
        return subprocess.run(controller, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    def line(self, name: str) -> str:
        return self.command("enroll", "new", "--name", name, "--label", f"host={name}")

    def board(self, host: str) -> Path:
        """The state folder of its agent."""
        return self.folder / host / ".local/state/jetfleet/agent"

    def log(self, host: str) -> str:
        path = self.folder / f"{host}.log"
        return path.read_text() if path.exists() else ""

    def shell(self, host: str, line: str, *, before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        """As its user pastes it."""
        words = [*self.lan.inside(host), *before, "sh", "-c", line]
        return subprocess.run(
            words, env=self._environment(host), capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, host: str, *, line: str = "true", before: tuple[str, ...] = ()) -> None:
        """The line and then the agent, in one shell."""
        (self.folder / host).mkdir(exist_ok=True)
        facts = self.folder / host / "facts.json"
        facts.write_text('{"arch": "x86_64", "simulated": true, "runtimes": {"simulated": "1.0"}}')
        words = [*self.lan.inside(host), *before, "sh", "-c", f"{line} && exec agent run --as-root --facts {facts}"]
        with (self.folder / f"{host}.log").open("ab") as log:
            self.agents[host] = subprocess.Popen(words, env=self._environment(host), stdout=log, stderr=log)

    def stop(self, host: str) -> int:
        self.agents[host].terminate()
        return self.agents.pop(host).wait(30)

    def kill(self, host: str) -> None:
        agent = self.agents.pop(host)
        agent.kill()
        agent.wait()

    def _environment(self, host: str) -> dict[str, str]:
        home = self.folder / host
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JETFLEET", "XDG"))}
        return {**kept, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}


@pytest.fixture(scope="module")
def fleet(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    found = Fleet(lan, tmp_path_factory.mktemp("fleet"))
    found.controller.start()
    try:
        wait_for(lambda: (found.state_dir / "controller.agents").exists(), what="the controller to listen")
        yield found
    finally:
        for host in list(found.agents):
            found.kill(host)
        found.controller.stop()


@pytest.fixture(scope="module")
def owner(fleet: Fleet) -> Iterator[Client]:
    with Client(socket_address(fleet.state_dir)) as client:
        yield client


def is_online(owner: Client, name: str) -> bool:
    return any(device.name == name and device.online for device in owner.devices())


def wait_for_heartbeat(fleet: Fleet, owner: Client, host: str) -> float:
    """The clock at that time."""

    def look() -> bool:
        assert fleet.agents[host].poll() is None, fleet.log(host)
        return is_online(owner, host)

    wait_for(look, what=f"{host} to be heard from")
    return time.monotonic()


def test_three_hosts_enrol_by_the_printed_line_only(fleet: Fleet, owner: Client) -> None:
    taken = {}
    for host in (*BOARDS, BEHIND):
        line = fleet.line(host)
        began = time.monotonic()
        fleet.start(host, line=line)
        taken[host] = wait_for_heartbeat(fleet, owner, host) - began
    for host, seconds in taken.items():
        where = "behind a router and closed to what comes in" if host == BEHIND else "on the network"
        met = seconds <= FIRST_HEARTBEAT_BAR_S
        note(f"the printed line to the first heartbeat, {where}", f"{seconds:.1f} s", bar="<= 5 s", met=met)


def test_nothing_from_outside_reaches_the_board_behind_the_router(fleet: Fleet, lan: Lan) -> None:
    reach = fleet.shell("router", "timeout 3 bash -c '</dev/tcp/10.231.89.2/22'")
    assert reach.returncode != 0
    assert "refused" not in reach.stderr, "its answer came: nothing was to come in"


def test_a_job_runs_on_all_three(fleet: Fleet, owner: Client, tmp_path: Path) -> None:
    began = time.monotonic()
    job = submit(owner, simulated_job(tmp_path / "job"))
    assert owner.wait(job).state is JobState.SUCCEEDED
    ran_on = {task.device for task in owner.job(job).tasks} - {""}
    assert ran_on >= {*BOARDS, BEHIND}
    note("a simulated job on the three, submitted to done", f"{time.monotonic() - began:.1f} s")


def by_clock(shift: str) -> tuple[str, ...]:
    """Before a command: it and its children see the time shifted. `faketime` itself would stand between, and keep
    signals to itself.
    """
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return ("env", f"LD_PRELOAD={library}", f"FAKETIME={shift}")


@pytest.mark.parametrize("host", CLOCKS)
def test_a_board_with_a_wrong_clock_is_told_so_and_works(
    fleet: Fleet, owner: Client, tmp_path: Path, host: str
) -> None:
    shifted = by_clock(CLOCKS[host])
    done = fleet.shell(host, fleet.line(host), before=shifted)
    assert done.returncode == 0, done.stderr
    assert "clock: this board's says" in done.stderr
    assert "certificate" not in done.stderr
    fleet.start(host, before=shifted)
    wait_for_heartbeat(fleet, owner, host)
    here = (Target(Quantifier.EVERY, (Condition("label.host", Op.EQUALS, (host,)),)),)
    job = submit(owner, simulated_job(tmp_path / "job", name=host, targets=here))
    assert owner.wait(job).state is JobState.SUCCEEDED
    assert host in {task.device for task in owner.job(job).tasks}
    fleet.kill(host)  # a shifted monotonic clock keeps locks that wait with a timeout waiting: faketime's, not ours
    note(f"a board whose clock is off by {CLOCKS[host]}", "enrolled, told `clock`, and ran a job")


def test_a_token_is_good_for_one_time(fleet: Fleet) -> None:
    line = fleet.line("lost")
    assert fleet.shell("lost", line).returncode == 0
    tries = [fleet.shell("thief", line) for _ in range(5)]
    assert all("was used before" in done.stderr for done in tries)
    accepted = sum(done.returncode == 0 for done in tries)
    assert not (fleet.board("thief") / "credentials/certificate.pem").exists()
    note("second uses of a token that were accepted, of 5", accepted, bar="= 0", met=accepted == 0)
    assert accepted == 0


def test_a_revocation_ends_an_open_call(fleet: Fleet, lan: Lan, owner: Client) -> None:
    command = [*lan.inside("lost"), sys.executable, "-m", "tests.lab.long_poll", str(fleet.board("lost"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as poll:
        assert poll.stdout is not None
        assert poll.stdout.readline() == "open\n"
        time.sleep(1)  # it is on its way, and nothing says when it waits at the other end
        began = time.monotonic()
        owner.access().revoke_device("lost")
        ended_at, kind = poll.stdout.readline().split()
    seconds = float(ended_at) - began
    assert kind == "Unauthenticated"
    note(
        "a revocation to the end of an open long poll",
        f"{seconds:.3f} s",
        bar="<= 1 s",
        met=seconds <= REVOCATION_BAR_S,
    )


def test_a_running_agent_that_is_revoked_ends(fleet: Fleet, owner: Client, lan: Lan) -> None:
    host = BOARDS[1]
    began = time.monotonic()
    owner.access().revoke_device(host)
    assert fleet.agents.pop(host).wait(30) == 4
    note("a revocation to the end of the agent's process", f"{time.monotonic() - began:.1f} s")
    again = fleet.shell(host, "agent run --as-root")
    assert again.returncode == 4, again.stderr
    assert not is_online(owner, host)
    assert "revoked" in again.stderr


def test_a_board_flashed_anew_enrols_as_itself(fleet: Fleet, owner: Client) -> None:
    host = BOARDS[0]
    before = next(device.id for device in owner.devices() if device.name == host)
    fleet.stop(host)
    shutil.rmtree(fleet.board(host))
    wait_for(lambda: not is_online(owner, host), what="it to be offline")
    began = time.monotonic()
    fleet.start(host, line=fleet.line(host))
    wait_for_heartbeat(fleet, owner, host)
    assert [device.id for device in owner.devices() if device.name == host] == [before]
    note(
        "a board flashed anew is itself again",
        f"after {time.monotonic() - began:.1f} s, the printed line's making included",
    )
    note("end", "")
