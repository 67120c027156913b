"""A project whose own packages are called `controller` and `agent`: its model is imported, exported and measured."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.intake import child, launch
from controller.intake.exchange import write_request
from controller.intake.jobfile.spec import load_spec
from tests.cli.conftest import stop_all
from tests.intake.conftest import Workplace

NET = """
import agent
from agent.layers import width
from torch import nn

def make():
    return nn.Linear(4, width())
"""
LAYERS = "def width():\n    import controller\n    return controller.WIDTH\n"
JOB = "model:\n  torch: controller.net:make\n  inputs: {input: {shape: [batch, 4]}}\n"
# The installed command, as a project's user runs it: `-m controller` would mean the project's own package.
COMMAND = Path(sys.executable).with_name("controller")


@pytest.fixture
def project(place: Workplace) -> Iterator[Workplace]:
    place.write("controller/__init__.py", "WIDTH = 3\n")
    place.write("controller/net.py", NET)
    place.write("agent/__init__.py", "")
    place.write("agent/layers.py", LAYERS)
    place.job(JOB)
    yield place
    stop_all(place.state)


def run(project: Workplace, *arguments: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JETFLEET_")}
    command = [str(COMMAND), "--state", str(project.state), *arguments]
    return subprocess.run(command, cwd=project.folder, env=clean, capture_output=True, text=True, timeout=110)


def test_its_model_is_measured(project: Workplace) -> None:
    done = run(project, "submit", "job.yaml", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert result["provenance"] == "MEASURED"


def test_its_model_is_exported(project: Workplace) -> None:
    done = run(project, "export", "job.yaml", "--output", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["export"]["outputs"] == [
        {"name": "output", "dtype": "float32", "dims": ["batch", 3]}
    ]


def test_a_mistake_in_its_package_is_told_with_its_line(project: Workplace) -> None:
    project.write("controller/net.py", "import agent\n\ndef make():\n    return agent.nothing\n")
    error = project.refused(JOB)
    assert (error.where, error.message) == (
        "controller/net.py:4",
        "make() raised AttributeError: module 'agent' has no attribute 'nothing'",
    )


LATE = """
import importlib.util, sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("launch", sys.argv[1])
launch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launch)
sys.meta_path.insert(0, launch.PrivateFinder())
import controller, agent.layers
from jetfleet_controller.intake import exchange, worker

answer = worker.answer(exchange.read_request(Path(sys.argv[2])), print)
assert isinstance(answer, exchange.ModelAnswer), answer.message
assert answer.report.outputs[0].dims == ("batch", 3)
names = [name for name in sys.modules if name.partition(".")[0] == "controller"]
assert names == ["controller", "controller.net"], names
"""


def test_our_modules_are_imported_after_theirs(project: Workplace) -> None:
    """The imports inside our functions, of which there is one for torch and one for the check."""
    out = project.folder / "out"
    out.mkdir()
    request = child.request_for(load_spec(project.folder / "job.yaml"), project.state, out, check=True)
    write_request(project.folder / "request.json", request)
    command = [sys.executable, "-c", LATE, str(launch.__file__), str(project.folder / "request.json")]
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
