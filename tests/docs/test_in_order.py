"""The tutorial and the answers by task, each run from its first command to its last in one folder.

Their networks are simulated here, for time, and for verdicts whatever else the machine does. With a real one
`make bench BARS=newcomer` follows the tutorial.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from testing.boards.facts import simulated_board
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online
from tests.cli.conftest import stop_all
from tests.docs.blocks import IN_ORDER, ROOT, in_order

TUTORIAL, HOW_TO = IN_ORDER
_SCRIPT_S = 280


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What the commands of a clone find in its folder."""
    folder = tmp_path / "clone"
    for name in ("examples", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("trained", "fetched", "*.png"))
    return folder


@pytest.fixture
def run(place: Path, tmp_path: Path) -> Iterator[Callable[[str, Path], str]]:
    """A document's blocks as one script; what it printed."""
    shells: list[subprocess.Popen[bytes]] = []

    def start(script: str, state: Path) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("JETFLEET_")}
        env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}", "HOME": str(tmp_path)}
        env |= {"JETFLEET_STATE": str(state)}
        log = tmp_path / "log"
        with log.open("wb") as out:  # a file: what runs on in the background would hold a pipe
            shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-xc", script],
                cwd=place,
                env=env,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            shells.append(shell)
            code = shell.wait(timeout=_SCRIPT_S)
        printed = log.read_text(encoding="utf-8", errors="replace")
        assert code == 0, printed
        return printed

    yield start
    for shell in shells:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    stop_all(tmp_path)


@pytest.mark.timeout(300)
def test_the_tutorial_runs_to_its_end(run: Callable[[str, Path], str], place: Path, tmp_path: Path) -> None:
    script = "\n".join(block.text for block in in_order(TUTORIAL))
    real, quick = "runtime: [onnxruntime]}", "runtime: [simulated]}\nmeasure: {runs: 4, warmup_s: 0.1, seconds: 0.2}"
    assert script.count(real) == 1
    printed = run(script.replace(real, quick), tmp_path / "state")
    for said in (
        "job 1: done, 4 of 4 tasks ended",
        "winner",
        "are what SHA256SUMS says",
        "PASSED",
        "computes the right",
    ):
        assert said in printed
    assert "Each against its baseline" in (place / "report.html").read_text(encoding="utf-8")
    assert "<testcase" in (place / "gate.xml").read_text(encoding="utf-8")


@pytest.mark.timeout(300)
def test_the_answers_by_task_run_to_their_end(
    run: Callable[[str, Path], str],
    place: Path,
    keep: Callable[[Process], Process],
    tmp_path: Path,
) -> None:
    for needed in ("pandas", "duckdb", "datasette", "pyarrow"):
        pytest.importorskip(needed)
    controller = ControllerProcess(tmp_path / "state", lease_s=None)  # it listens
    keep(controller)
    controller.ready()
    names = ("nano-1", "nano-2")
    for name in names:
        board = AgentProcess(tmp_path / "agents" / name, controller.address, name=name, facts=simulated_board())
        keep(board)
        board.start()
    with controller.client() as client:
        wait_online(client, *names)
    printed = run("\n".join(block.text for block in in_order(HOW_TO)), controller.state_dir)
    for said in (
        "PASSED: job 2 against main",
        "FASTER",
        "what the manifest says",
        '"table": "v_devices"',
        ": 0 faults",
    ):
        assert said in printed
