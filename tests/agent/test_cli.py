"""`agent` as a process: probe, and what it says to bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def agent(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "agent.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_probe_prints_facts_as_json() -> None:
    found = agent("probe", "--label", "rack=a", "--threads", "1")
    assert found.returncode == 0, found.stderr
    facts = json.loads(found.stdout)
    assert facts["labels"] == {"rack": "a"}
    assert facts["cpu_count"] == 1
    assert {"onnxruntime", "simulated"} <= set(facts["runtimes"])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], None),
        (["--allow-callables"], ["any"]),
        (["--allow-callable", "ab" * 32, "--allow-callable", "cd" * 32], ["ab" * 32, "cd" * 32]),
    ],
)
def test_which_users_code_runs_is_a_fact(said: list[str], told: list[str] | None) -> None:
    assert json.loads(agent("probe", *said).stdout).get("callables") == told


def test_a_constructed_board_offers_the_simulated_runtime_and_nothing_else(tmp_path: Path) -> None:
    board = tmp_path / "orin.json"
    board.write_text('{"sku": "orin-nano-8gb", "runtimes": {"tensorrt": "10.3.0"}}')
    facts = json.loads(agent("probe", "--facts", str(board)).stdout)
    assert facts["simulated"] is True
    assert list(facts["runtimes"]) == ["simulated"]
    assert facts["sku"] == "orin-nano-8gb"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["probe", "--label", "nonsense"], "error: --label: 'nonsense' is not a valid label\n  expected: KEY=VALUE"),
        (["probe", "--facts", "missing.json"], "error: missing.json: cannot read it: No such file or directory"),
        (["once", "missing.json"], "error: missing.json: cannot read the task: No such file or directory"),
        (["probe", "--allow-callable", "ab" * 31], "is not a SHA-256, 64 hexadecimal digits"),
        (["fly"], "'fly' is not a valid verb of `agent`"),
        (["probe", "--threads", "0"], "error: --threads: '0' is not a valid number of threads: 1 to 4096"),
        (["probe", "--threads", "-3"], "error: --threads: '-3' is not a valid number of threads: 1 to 4096"),
        (["run", "--idle-exit", "-1"], "error: --idle-exit: '-1' is not a valid number of seconds: 0 to 31536000"),
        (["run", "--drain-seconds", "nan"], "--drain-seconds: 'nan' is not a valid number of seconds: 0 to 31536000"),
        (["run", "--drain-seconds", "soon"], "--drain-seconds: 'soon' is not a valid number of seconds: 0 to 31536000"),
    ],
)
def test_bad_input_exits_with_2_and_says_what_to_do(arguments: list[str], told: str) -> None:
    found = agent(*arguments)
    assert found.returncode == 2
    assert told in found.stderr
    assert "Traceback" not in found.stderr


def test_facts_that_are_none_are_told(tmp_path: Path) -> None:
    board = tmp_path / "bad.json"
    board.write_text('{"colour": "green"}')
    found = agent("probe", "--facts", str(board))
    assert found.returncode == 2
    assert "not the facts of a board" in found.stderr
    assert "colour" in found.stderr
