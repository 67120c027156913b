"""What `agent doctor` runs: trials in real children with simulated drivers, the command itself, a real controller."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from agent.doctor import trial
from agent.doctor.check import CheckContext, Interpreter, read_context
from agent.doctor.controller import controller as reach
from agent.doctor.controller import judge
from agent.doctor.engine import judge_cuda, judge_engine, judge_onnxruntime, onnxruntime
from agent.doctor.host import unit_state
from agent.doctor.trial_process import TrialResult, read, run_trial
from jetfleet.v1 import control_pb2
from jetfleet.version import VERSION
from testing.boards.jetson import jetson
from testing.processes import ControllerProcess

LIMIT_S = 60.0


def doctor(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "agent.cli", "doctor", *arguments]
    whole = {**os.environ, **env}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=whole)


def context(root: Path, interpreter: Interpreter | None = None, *, address: str | None = None) -> CheckContext:
    found = read_context(root, env={}, state_dir=root / "state", address=address)
    given = interpreter or found.interpreter
    return CheckContext(root, {}, found.state_dir, address, found.board, found.l4t, found.container, given)


def test_the_tiny_network_is_what_its_comment_says() -> None:
    model = onnx.load_from_string(trial.TINY_ONNX)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["MatMul", "Relu"]
    assert [entry.version for entry in model.opset_import] == [17]
    (weights,) = model.graph.initializer
    made = (np.arange(16, dtype=np.float32).reshape(4, 4) - 7) / 4
    assert np.array_equal(onnx.numpy_helper.to_array(weights), made)
    assert np.array_equal(np.maximum(trial._X @ made, 0), trial._Y)


def test_onnx_runtime_builds_and_runs_it() -> None:
    trial = run_trial("onnxruntime", "cpu", limit_s=LIMIT_S, env=os.environ)
    assert trial.error == ""
    assert list(trial.steps) == ["import", "build", "load", "run"]
    check = judge_onnxruntime(trial, context(Path("/")))
    assert (check.state, "output right" in check.found) == ("ok", True)


def test_a_trial_sees_what_an_attempts_child_sees_and_no_secret(tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    told = f"import json, os; json.dump(dict(os.environ), open({str(seen)!r}, 'w'))"
    (tmp_path / "sitecustomize.py").write_text(told)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "CI_JOB_TOKEN": "secret", "AWS_PROFILE": "mine"}
    found = read_context(Path("/"), env=env, state_dir=tmp_path / "state")
    assert onnxruntime(found).state == "ok"
    names = set(json.loads(seen.read_text()))
    assert "PATH" in names
    assert names.isdisjoint({"CI_JOB_TOKEN", "AWS_PROFILE"})


def test_a_runtime_that_answers_something_else_is_noticed() -> None:
    trial = run_trial("simulated", "cpu", limit_s=LIMIT_S, env=os.environ)
    assert "import" in trial.steps
    assert "run" not in trial.steps
    assert "the output is wrong" in trial.error


def test_a_runtime_that_is_not_there_says_so() -> None:
    trial = run_trial("abacus", "cpu", limit_s=LIMIT_S, env=os.environ)
    assert (dict(trial.steps), trial.crashed) == ({}, False)
    assert "there is no runtime 'abacus'" in trial.error


@pytest.mark.parametrize(
    ("variables", "state", "said"),
    [
        ({}, "ok", "Simulated GPU, CC 8.7, 14 SMs, CUDA 12.6; memory written and read back"),
        ({"FAKE_CUDA_INIT": "100"}, "fail", "CUDA_ERROR_NO_DEVICE"),
        ({"FAKE_CUDA_COUNT": "0"}, "fail", "unset CUDA_VISIBLE_DEVICES"),
        ({"FAKE_FORGETS": "1"}, "fail", "did not come back"),
        ({"FAKE_CUDA_DIES": "1"}, "fail", "died of SIGABRT"),
    ],
)
def test_cuda_in_a_child(library: Path, variables: dict[str, str], state: str, said: str) -> None:
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), **variables}
    check = judge_cuda(run_trial("cuda", limit_s=LIMIT_S, env=env), context(Path("/")))
    assert check.state == state
    assert said in f"{check.found}\n{check.why}\n{check.fix}"


def test_a_driver_that_hangs_is_ended(library: Path) -> None:
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "FAKE_CUDA_DIES": "2"}
    trial = run_trial("cuda", limit_s=3.0, env=env)
    assert (trial.error, trial.crashed) == ("no end after 3 s", True)


def test_how_a_child_ended() -> None:
    steps = '{"step": "import", "detail": "10.3.0"}\n'
    assert read(steps, -11, "noise\n", limit_s=1) == TrialResult({"import": "10.3.0"}, "died of SIGSEGV: noise", True)
    assert read(steps, 3, "", limit_s=1).error == "ended with code 3"
    assert read(steps + '{"error": "no"}\n', 1, "", limit_s=1) == TrialResult({"import": "10.3.0"}, "no", False)
    assert read(steps + '{"step": "bui', 0, "", limit_s=1) == TrialResult({"import": "10.3.0"}, "", False)
    assert "signal 999" in read("", -999, "", limit_s=1).error


PREFIX = "runtime tensorrt does not import here: "
VENV = Interpreter((3, 10), Path("/opt/agent"), False)
SYSTEM = Interpreter((3, 10), None, True)
NEWER = Interpreter((3, 12), None, True)


@pytest.mark.parametrize(
    ("error", "interpreter", "why", "fix"),
    [
        ("libnvdla_compiler.so: cannot open shared object file", SYSTEM, "DLA compiler", "DLA compiler"),
        ("/usr/lib/libcuda.so.1: file too short", SYSTEM, "another L4T", "ldconfig"),
        ("No module named 'tensorrt'", VENV, "does not see the system's packages", "--system-site-packages /opt/agent"),
        (
            "No module named 'tensorrt'",
            NEWER,
            "installed for Python 3.10, this agent runs on 3.12",
            "python3.10 -m venv",
        ),
        ("No module named 'tensorrt'", SYSTEM, "does not look there", "sys.path"),
        ("No module named 'pycuda'", SYSTEM, "pycuda is not installed", "/usr/local/cuda/bin"),
        ("libnvinfer.so.10: cannot open shared object file", SYSTEM, "libnvinfer.so.10 is missing", "apt install"),
        ("numpy.core.multiarray failed to import", SYSTEM, "another numpy", "numpy=="),
        ("something new", SYSTEM, "does not import", "import tensorrt"),
    ],
)
def test_why_tensorrt_does_not_import(tmp_path: Path, error: str, interpreter: Interpreter, why: str, fix: str) -> None:
    here = context(jetson("orin-nano-8gb", "6.2").write(tmp_path), interpreter)
    check = judge_engine(TrialResult({}, PREFIX + error), here)
    assert check.state == "fail"
    assert why in check.why
    assert fix in check.fix


def test_where_tensorrt_is_nowhere(tmp_path: Path) -> None:
    error = TrialResult({}, PREFIX + "No module named 'tensorrt'")
    native = context(jetson("orin-nano-8gb", "6.2").drop("usr/lib/python3.10").write(tmp_path / "native"), SYSTEM)
    assert judge_engine(error, native).fix == "sudo apt install python3-libnvinfer"
    confined = context(jetson("orin-nano-8gb", "6.2", container=True).write(tmp_path / "container"), SYSTEM)
    assert "use an image that has" in judge_engine(error, confined).fix


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (TrialResult({"import": "10.3.0"}, "out of memory"), "out of memory at: build"),
        (TrialResult({"import": "10.3.0", "build": "x"}, "died of SIGSEGV", True), "it ended at: load, without a word"),
        (TrialResult({"import": "10.3.0", "build": "x", "load": ""}, "the output is wrong"), "it ended at: run"),
    ],
)
def test_where_an_engine_ended(tmp_path: Path, trial: TrialResult, said: str) -> None:
    check = judge_engine(trial, context(tmp_path))
    assert (check.state, said in check.why) == ("fail", True)


def test_an_engine_that_lived(tmp_path: Path) -> None:
    trial = TrialResult({"import": "10.3.0", "build": "9 bytes in 1.0 s", "load": "", "run": "output right"})
    assert judge_engine(trial, context(tmp_path)).found == "10.3.0: engine of 9 bytes in 1.0 s, output right"


def test_the_command_on_this_machine() -> None:
    found = doctor("--json", JETFLEET_ADDRESS="")
    checks = {check["name"]: check for check in json.loads(found.stdout)}
    assert checks["ONNX Runtime"]["state"] == "ok"
    assert set(checks["ONNX Runtime"]) == {"name", "state", "found", "why", "fix"}
    failed = [check for check in checks.values() if check["state"] == "fail"]
    assert found.returncode == (4 if failed else 0)
    assert all(check["fix"] for check in failed)


def test_the_command_on_a_tree(tmp_path: Path) -> None:
    found = doctor("--root", str(jetson("orin-nx-16gb", "6.2", container=True).write(tmp_path)))
    assert found.returncode == 4
    assert "fail  board " in found.stdout
    assert "\x1b" not in found.stdout
    assert found.stdout.splitlines()[-1].endswith("skipped")
    missing = doctor("--root", str(tmp_path / "nowhere"))
    assert (missing.returncode, "there is no such folder" in missing.stderr) == (2, True)


def test_a_reader_that_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    root = jetson("orin-nx-16gb", "6.2").write(tmp_path)
    command = f"{sys.executable} -m agent.cli doctor --root {root} | head -1"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout.startswith("ok    board")
    assert "Traceback" not in found.stderr


def test_a_controller_that_answers_and_one_that_does_not(controller: ControllerProcess) -> None:
    check = reach(context(Path("/"), address=controller.address))
    assert check.state == "ok", check
    assert f"version {VERSION}, clocks " in check.found  # how far apart they seem grows with the time an answer takes
    gone = reach(context(Path("/"), address=f"unix:{controller.state_dir}/nobody.sock"))
    assert (gone.state, "does not answer" in gone.found) == ("fail", True)
    assert "controller serve" in gone.fix


def test_what_a_controllers_answer_means() -> None:
    same = control_pb2.HelloResponse(version=VERSION)
    for apart_s, said in ((-90.0, "90 s behind"), (90.0, "90 s ahead of")):
        check = judge(same, apart_s, address="a:1")
        assert (check.state, said in check.why) == ("warn", True)
    assert judge(same, None, address="a:1").state == "ok"
    other = judge(control_pb2.HelloResponse(version="9.9"), 0.0, address="a:1")
    assert (other.state, "upgrade" in other.fix) == ("warn", True)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"LoadState": "not-found"}, "skip"),
        ({"LoadState": "loaded", "ActiveState": "active", "SubState": "running"}, "ok"),
        ({"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead"}, "warn"),
        ({"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}, "fail"),
        ({}, "skip"),
    ],
)
def test_the_agents_unit(said: dict[str, str], state: str) -> None:
    assert unit_state(said).state == state
