"""Runtimes are found where they import, and nothing heavy is imported by looking at the agent."""

import subprocess
import sys

import pytest

from agent.runtime.registry import available, open_runtime
from jetfleet.errors import BadInput


def test_what_imports_is_listed() -> None:
    assert {"onnxruntime", "tensorrt_rtx", "simulated"} <= set(available())
    assert open_runtime("simulated").version() == "1.0"


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(BadInput, match="simulated"):
        open_runtime("abacus")


LOOK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        heavy = {"onnxruntime", "tensorrt", "tensorrt_rtx", "pycuda", "torch", "onnx", "sqlalchemy", "controller"}
        if name.split(".")[0] in heavy:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import agent.daemon.run_once, agent.daemon.runner, agent.work.main, agent.work.bench, agent.work.build
import agent.device.facts, agent.device.identity
from agent.runtime.registry import available, open_runtime
from jetfleet.errors import BadInput
assert list(available()) == ["simulated"], available()
try:
    open_runtime("onnxruntime")
except BadInput as error:
    assert "does not import here" in str(error)
else:
    raise AssertionError("it opened")
"""


def test_the_agent_imports_without_any_heavy_library() -> None:
    subprocess.run([sys.executable, "-c", LOOK], check=True, timeout=60)
