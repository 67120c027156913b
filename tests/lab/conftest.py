"""The lab: a controller in a network namespace of its own, a board that boots, and a record of what was seen."""

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from controller.api.client import Client
from jetfleet.address import socket_address
from testing.processes import Process, wait_for
from tests.house.source import ROOT
from tests.lab.guest import Guest, install_tools, make_base
from tests.lab.network import LabNetwork, run
from tests.lab.shipping import Shipment


class Record:
    """What was seen, a line each, written to docs/measured when all of it was; `about` is its heading."""

    def __init__(self, name: str, about: Sequence[str]) -> None:
        self._path, self._about = ROOT / "docs/measured" / f"{name}.md", about
        self.lines: list[tuple[str, str]] = []

    def note(self, what: str, seen: object) -> None:
        self.lines.append((what, str(seen)))

    def write(self) -> None:
        version = run("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD").strip()
        head = [
            *self._about,
            f"controller in another network namespace. {time.strftime('%Y-%m-%d')}, revision {version},",
            f"{os.cpu_count()} cores, kernel {platform.release()}, a load of {os.getloadavg()[1]:.0f}.",
            "Not a Jetson: no GPU, no L4T, and systemd 252; Ubuntu 22.04's 249 and 24.04's 255 were not at hand.",
            "",
            "| what | seen |",
            "|---|---|",
        ]
        self._path.write_text("\n".join([*head, *(f"| {what} | {seen} |" for what, seen in self.lines)]) + "\n")

    def write_if_asked(self) -> None:
        if os.environ.get("JETFLEET_RECORD") == "1":
            self.write()


_ABOUT = (
    "# The agent as a systemd service, in machines that boot",
    "",
    "Written by `make lab-systemd`: Debian 12 booted by systemd-nspawn, the agent's wheel in /opt/jetfleet, a",
)


class LabController(Process):
    """`controller serve` at an address of the lab's network."""

    def __init__(self, state_dir: Path, network: LabNetwork) -> None:
        self.address = network.address("ctl")
        arguments = ["-m", "controller.cli.main", "--state", str(state_dir), "serve", "--host", self.address]
        arguments += ["--listen", f"{self.address}:50051", "--agents", f"{self.address}:50052"]
        prefix = ("ip", "netns", "exec", network.namespace("ctl"))
        super().__init__(arguments, state_dir.parent / "controller.log", prefix=prefix)
        self.state_dir = state_dir

    def client(self) -> Client:
        return Client(socket_address(self.state_dir), state_dir=self.state_dir / "client")

    def line(self, *arguments: str) -> str:
        """What `controller enroll new` prints."""
        command = [sys.executable, "-m", "controller.cli.main", "--state", str(self.state_dir), "enroll", "new"]
        return run(*command, *arguments).strip()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        path = next(self.state_dir.glob("*.sqlite*"), None) or next(self.state_dir.glob("*.db"))
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return database.execute(sql).fetchall()


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    found = Record("lab-systemd", _ABOUT)
    yield found
    found.write_if_asked()


@pytest.fixture(scope="session")
def tools() -> None:
    if os.geteuid():
        pytest.skip("only root may make namespaces and boot machines")
    install_tools()


@pytest.fixture(scope="session")
def base(tools: None) -> Path:
    return make_base()


@pytest.fixture(scope="session")
def network(tools: None) -> Iterator[LabNetwork]:
    with LabNetwork(["ctl", "board", "second", "gpu"]) as made:
        yield made


@pytest.fixture(scope="session")
def controller(network: LabNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabController]:  # type: ignore[override]
    process = LabController(tmp_path_factory.mktemp("controller") / "state", network)
    process.start()
    wait_for(lambda: (process.state_dir / "controller.agents").exists(), what=f"the controller: {process.text()}")
    yield process
    process.stop()


@pytest.fixture(scope="session")
def board(base: Path, network: LabNetwork) -> Iterator[Guest]:
    """Booted, with nothing installed but the wheel."""
    with Guest(f"{network.prefix}-board", base, network=network.path("board")) as guest:
        guest.boot()
        yield guest


@pytest.fixture(scope="session")
def shipment(tools: None) -> Shipment:
    made = Shipment()
    made.make()
    return made
