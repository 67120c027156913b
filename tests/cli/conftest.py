"""The command as people run it: a process with a state folder of its own, no terminal, and a clean environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.api import pipeline_key, pipeline_labels
from controller.api.client import Client
from testing.boards.facts import simulated_board
from testing.processes import AgentProcess, ControllerProcess, wait_online

_OF_PIPELINES = pipeline_key.VARIABLES | pipeline_labels.VARIABLES
_FOREIGN = {"JETFLEET_ADDRESS", "JETFLEET_STATE", "NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS"} | _OF_PIPELINES
LIMIT_S = 60


@dataclass
class Command:
    """`controller --state FOLDER ...`."""

    state: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, typed: str | None = None, **env: str) -> "subprocess.CompletedProcess[str]":
        """`typed` goes to standard input, which is empty without."""
        process = self.start(*arguments, stdin=subprocess.DEVNULL if typed is None else subprocess.PIPE, **env)
        out, err = process.communicate(typed, timeout=LIMIT_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL, **env: str) -> "subprocess.Popen[str]":
        clean = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        return subprocess.Popen(
            [sys.executable, "-m", "controller.cli.main", "--state", str(self.state), *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean, **env},
        )


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """With nothing running yet; what the command leaves running is stopped at the end."""
    made = Command(tmp_path / "state")
    yield made
    stop_all(made.state)


def stop_all(state: Path) -> None:
    for pid in still_running(state):
        with suppress(ProcessLookupError):  # a child of the one before, which goes with its parent
            os.kill(pid, signal.SIGKILL)


def still_running(state: Path, *words: str) -> list[int]:
    """Processes with a test's state folder, and these words, in their arguments: detached ones are found so alone."""
    wanted = [str(state), *words]
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in pids if pid != os.getpid() and all(word in _arguments(pid) for word in wanted)]


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it ended meanwhile
        return ""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command beside a running controller that has one simulated board online."""
    folder = tmp_path_factory.mktemp("fleet")
    controller = ControllerProcess(folder / "state")
    agent = AgentProcess(
        folder / "agents" / "board",
        controller.address,
        name="board",
        facts=simulated_board(sku="orin-nano-8gb", jetpack="6.2", cpu_count=6),
    )
    try:
        controller.ready()
        agent.start()
        with Client(controller.address) as client:
            wait_online(client, "board")
        yield Command(folder / "state")
    finally:
        agent.kill()
        controller.kill()


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a job file for a graph that adds its input to itself; keyword arguments become lines of YAML."""

    def write(**lines: str) -> Path:
        import onnx
        from onnx import TensorProto, helper

        shape = [1, 4]
        graph = helper.make_graph(
            [helper.make_node("Add", ["x", "x"], ["y"])],
            "twice",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.save(made, str(tmp_path / "model.onnx"))
        spec = {
            "apiVersion": "jetfleet/v1",
            "name": "twice",
            "model": "{onnx: model.onnx}",
            "variants": "{runtime: [simulated]}",
            "measure": "{runs: 2, warmup_s: 0.05, seconds: 0.2, max_seconds: 2}",
            **lines,
        }
        path = tmp_path / "job.yaml"
        path.write_text("".join(f"{key}: {value}\n" for key, value in spec.items() if value))
        return path

    return write
