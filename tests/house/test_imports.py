"""Who imports whom, proven by importing: contracts, the agent alone, a daemon and a client without heavy libraries."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from tests.house.source import ROOT, modules, name

HEAVY = ("torch", "onnx", "onnxruntime", "onnxscript", "numpy", "pydantic", "yaml")
FOREIGN_TO_THE_AGENT = (
    *("torch", "sqlalchemy", "alembic", "tensorrt", "pycuda", "onnxruntime", "onnx", "pydantic", "yaml", "PIL"),
    *("typer", "rich", "packaging", "controller"),
)


def python(script, *arguments):
    """Runs a script in a fresh interpreter that sees the rooms and nothing that this one has imported."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}"}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_import_contracts_hold():
    tool = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"]
    done = subprocess.run([*tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


BLOCKED = """
    import importlib, json, sys

    class Blocker:
        def find_spec(self, fullname, path=None, target=None):
            if fullname.split(".")[0] in blocked:
                raise ModuleNotFoundError(f"{fullname} is not installed with the agent", name=fullname)

    blocked, adapters = set(json.loads(sys.argv[1])), json.loads(sys.argv[3])
    sys.meta_path.insert(0, Blocker())
    for module in json.loads(sys.argv[2]):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not module.startswith(tuple(adapters.get(error.name, ()))):
                raise
    print(json.dumps(sorted(sys.modules)))
"""


# A package owns each heavy runtime and may import it at their top: without it, they alone are missing.
ADAPTERS = {
    "onnxruntime": ("agent.runtime.onnxruntime",),
    "tensorrt": ("agent.runtime.tensorrt",),
    "PIL": ("agent.pipeline.pixels", "agent.pipeline.functions"),
}


def dotted(path):
    return name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_every_agent_module_imports_with_the_agents_extra_alone():
    found = [dotted(path) for path in modules("agent")]
    assert {"agent.cli", "agent.daemon.agent", "agent.work.main"} <= set(found)
    done = python(BLOCKED, json.dumps(FOREIGN_TO_THE_AGENT), json.dumps(found), json.dumps(ADAPTERS))
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    missing = set(found) - set(loaded)
    assert all(module.startswith(sum(ADAPTERS.values(), ())) for module in missing), missing
    assert not {module.split(".")[0] for module in loaded} & set(FOREIGN_TO_THE_AGENT)


def test_the_blocker_blocks():
    done = python(BLOCKED, json.dumps(["sqlite3"]), json.dumps(["sqlite3.dbapi2"]), "{}")
    assert done.returncode == 1
    assert "sqlite3 is not installed with the agent" in done.stderr


def loaded_by(module):
    done = python(f"import sys, {module}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    return {item.split(".")[0] for item in done.stdout.split()}


def test_starting_the_agents_daemon_imports_neither_numpy_nor_a_runtime():
    daemon = [dotted(path) for path in modules("agent/daemon")]
    loaded = loaded_by(", ".join([*daemon, "agent.cli", "agent.device.identity", "agent.device.probe"]))
    assert len(daemon) > 8
    assert "grpc" in loaded
    assert not loaded & {*HEAVY, *FOREIGN_TO_THE_AGENT}


def test_the_child_of_an_attempt_imports_no_grpc():
    work = [dotted(path) for path in modules("agent/work")]
    loaded = loaded_by(", ".join(module for module in work if module != "agent.work.__main__"))
    assert "numpy" in loaded
    assert "grpc" not in loaded


def test_starting_the_daemon_imports_no_model_library():
    loaded = loaded_by("controller.service.server")
    assert {"grpc", "sqlalchemy"} <= loaded
    assert not loaded & set(HEAVY)


def test_a_client_starts_without_the_stores_and_the_intakes_libraries():
    loaded = loaded_by("controller.cli.app")
    assert "typer" in loaded
    assert not loaded & {*HEAVY, "sqlalchemy", "alembic"}


@pytest.mark.parametrize("room", ["controller.analysis", "controller.core", "controller.model"])
def test_a_pure_room_imports_nothing_that_acts(room):
    found = [dotted(path) for path in modules(room.replace(".", "/"))]
    loaded = loaded_by(", ".join(found))
    assert len(found) > 4
    assert not loaded & {*HEAVY, "sqlalchemy", "grpc", "google", "sqlite3", "socket", "asyncio"}
