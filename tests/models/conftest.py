"""A real controller and one real agent for all models, and a table of what came of each at the end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import Client
from testing.processes import AgentProcess, ControllerProcess, wait_online

ROOT = Path(__file__).parents[2]
MODELS = ROOT / ".models"
_SEEN: list[str] = []
# One model's export, lowering, builds and measurements, on a machine that does other things too.
LIMIT_S = 240


@dataclass
class Desk:
    """A workstation: job files in a folder, and `controller submit` as people run it, from the repository's root."""

    folder: Path
    state: Path
    added: list[str] = field(default_factory=list)

    def submit(self, job: Path) -> "subprocess.CompletedProcess[str]":
        arguments = ["--state", str(self.state), "submit", str(job), "--wait", "--json"]
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")])}
        return subprocess.run(
            [sys.executable, "-m", "controller.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            cwd=ROOT,
            env=env,
        )

    def submit_as_told(self, text: str, *, rounds: int = 3) -> list[dict[str, Any]]:
        """Submits; adds the lines that the error says to add, and nothing else; returns the rows of the results."""
        self.added.clear()
        job = self.folder / "job.yaml"
        for _ in range(rounds):
            job.write_text(text)
            done = self.submit(job)
            if done.returncode != 2:
                break
            lines = advice(done.stderr)
            text = insert(text, *lines)
            self.added += lines[1]
        assert done.returncode == 0, f"{done.stderr}\n{text}"
        rows: list[dict[str, Any]] = json.loads(done.stdout)["results"]
        return rows


def advice(stderr: str) -> tuple[str, list[str]]:
    """From a refusal: the key below which to add, and the lines."""
    error = json.loads(stderr.splitlines()[-1])["error"]
    first, _, rest = error["fix"].partition("\n")
    assert first.startswith("below `"), error
    return first.split("`")[1], rest.splitlines()


def insert(text: str, below: str, lines: list[str]) -> str:
    """A job file with more lines below the one that begins with a key."""
    found = text.splitlines()
    place = next(index for index, line in enumerate(found) if line.strip().startswith(below))
    return "\n".join([*found[: place + 1], *lines, *found[place + 1 :], ""])


def report(line: str) -> None:
    _SEEN.append(line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _SEEN:
        terminalreporter.section("models")
        for line in _SEEN:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a running controller whose one agent is this machine."""
    folder = tmp_path_factory.mktemp("models")
    controller = ControllerProcess(folder / "state")
    agent = AgentProcess(folder / "agents" / "here", controller.address, name="here")
    try:
        controller.ready()
        agent.start()
        with Client(controller.address) as client:
            wait_online(client, "here")
        yield folder / "state"
    finally:
        agent.kill()
        controller.kill()


@pytest.fixture
def desk(state: Path, tmp_path: Path) -> Desk:
    return Desk(tmp_path, state)
