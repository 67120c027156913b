"""The import rules guard: each of these violations, planted in a copy of the tree, breaks a contract."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.house.source import ROOT

TABLE = "a module or library only where the table of importers lists it"
CIRCLES = "no circle of imports, lazy ones included"
HALVES = "the two halves never reach each other"
WIRE = "the wire contract reaches neither half"
CONTROLLER = "rooms of the controller, top to bottom"
AGENT = "rooms of the agent, top to bottom"
PURE = "the pure rooms reach nothing that acts, by any detour"
CHILD = "the child reaches no grpc, by any detour"
DAEMON = "the daemon reaches no numpy and no runtime, by any detour"
INTAKE = "rooms of the intake, top to bottom"
PREPARE = "a job is prepared without the libraries that look at models"
SERVICE = "the service and the store reach no model library, by any detour"

EVERYTHING = "import grpc, torch, sqlalchemy, numpy, controller.cli.main, controller.service.server"

# The file, what is added to it, and the contracts that must break.
PLANTED = {
    "grpc in the child": ("agent/work/bench.py", "import grpc", {TABLE, CHILD}),
    "grpc in the child by a detour": ("agent/work/bench.py", "from jetfleet import rpc", {CHILD}),
    "numpy in the daemon": ("agent/daemon/agent.py", "import numpy", {TABLE, DAEMON}),
    "a runtime in the daemon": ("agent/daemon/agent.py", "import agent.runtime.registry", {TABLE, DAEMON}),
    "tensorrt in agent/work": ("agent/work/subject.py", "import tensorrt", {TABLE}),
    "tensorrt inside a function of agent/work": ("agent/work/subject.py", "def f():\n    import tensorrt", {TABLE}),
    "pycuda in agent/device": ("agent/device/facts.py", "import pycuda.driver", {TABLE}),
    "a new room that imports everything": ("controller/bundle/archive.py", EVERYTHING, {TABLE, CONTROLLER}),
    "a new room of the agent": ("agent/power/supply.py", "import os", {TABLE, AGENT}),
    "a new module beside the agent's rooms": ("agent/extra.py", "import os", {TABLE, AGENT}),
    "the controller in the agent": ("agent/cli.py", "import controller.core.plan", {TABLE, HALVES}),
    "a half in the wire contract": ("proto/jetfleet/rpc.py", "import agent.attempt", {TABLE, WIRE}),
    "pydantic in the service": ("controller/service/fleet.py", "import pydantic", {TABLE, SERVICE}),
    "torch beside the exporters": ("controller/intake/prepare.py", "import torch", {TABLE}),
    "the model child in the command": (
        "controller/intake/child_process.py",
        "from controller.intake.worker import main",
        {PREPARE},
    ),
    "what crosses to the model child in the job file": (
        "controller/intake/jobfile/spec.py",
        "from controller.intake.exchange import ModelRequest",
        {INTAKE},
    ),
    "sqlalchemy in the api": ("controller/api/discovery.py", "import sqlalchemy", {TABLE}),
    "grpc in the store": ("controller/store/tables.py", "import grpc", {TABLE}),
    "messages in the store": ("controller/store/tables.py", "import jetfleet.v1.task_pb2", {TABLE}),
    "numpy in a pure room": ("controller/core/plan.py", "import numpy", {TABLE, PURE}),
    "asyncio in a pure room": ("controller/model/task.py", "import asyncio", {PURE}),
    "the store in the client": ("controller/client/link.py", "import controller.store.tables", {TABLE}),
    "a library that no room owns": ("controller/cli/main.py", "import requests", {TABLE}),
    "a lazy circle": ("proto/jetfleet/errors.py", "def f():\n    import jetfleet.blobs", {CIRCLES}),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The broken contracts of the copy as it is, and with each violation."""
    copy = tmp_path_factory.mktemp("planted")
    for folder in ("agent", "controller", "proto", "tests/house"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "tests/__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "tests.house.planted"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'proto'}"},
        input=json.dumps([[path, code] for path, code, _ in PLANTED.values()]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sound, *found = json.loads(done.stdout.splitlines()[-1])
    return {"": sound, **dict(zip(PLANTED, found, strict=True))}


def test_the_copy_is_sound_before_anything_is_planted(broken):
    assert broken[""] == []


@pytest.mark.parametrize("violation", PLANTED)
def test_a_planted_violation_breaks_its_contract(broken, violation):
    assert PLANTED[violation][2] <= set(broken[violation])
    assert broken[violation]


def test_every_contract_is_broken_by_some_violation(broken):
    text = (ROOT / "pyproject.toml").read_text()
    names = {line.split('"')[1] for line in text.splitlines() if line.startswith("name = ") and "jetfleet" not in line}
    assert names == {name for found in broken.values() for name in found}
