"""Standard output that is closed, full or gone: told as what it is, by every verb of both commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command

CONTROLLER, AGENT = "controller.cli.main", "agent.cli"
# Verbs that print with nothing around them. All verbs write through the same stream and end in the same place.
PRINTING = [
    (CONTROLLER, "--help"),
    (CONTROLLER, "--version"),
    (CONTROLLER, "schema"),
    (CONTROLLER, "completion bash"),
    (CONTROLLER, "job show --help"),
    (AGENT, "--help"),
    (AGENT, "--version"),
    (AGENT, "probe"),
    (AGENT, "doctor --json --root {state}"),
    (AGENT, "completion fish"),
]
FLEET = ["jobs", "devices", "devices show board", "engines", "results", "jobs --json", "query 'select 1'"]


def shell(module: str, words: str, redirected: str, *, state: Path) -> "subprocess.CompletedProcess[str]":
    line = f"{sys.executable} -m {module} {words.format(state=state)} {redirected}; exit ${{PIPESTATUS[0]}}"
    env = {**os.environ, "JETFLEET_STATE": str(state)}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=env, timeout=60)


def assert_told(done: "subprocess.CompletedProcess[str]", what: str) -> None:
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    said = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(said) == 1
    assert f"standard output: {what}" in said[0] or '"where": "standard output"' in said[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("module", "words"), PRINTING)
def test_a_full_and_a_closed_standard_output_are_told(module: str, words: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    assert_told(shell(module, words, "> /dev/full", state=state), "no space left on device")
    assert_told(shell(module, words, ">&-", state=state), "bad file descriptor")


@pytest.mark.parametrize("words", FLEET)
def test_what_the_fleet_says_is_never_lost_in_silence(words: str, fleet: Command) -> None:
    assert_told(shell(CONTROLLER, words, "> /dev/full", state=fleet.state), "no space left on device")
    assert_told(shell(CONTROLLER, words, ">&-", state=fleet.state), "bad file descriptor")


@pytest.mark.parametrize(("module", "words"), [(CONTROLLER, "schema"), (CONTROLLER, "--help"), (AGENT, "--help")])
def test_a_reader_that_has_gone_ends_a_command_in_silence(module: str, words: str, tmp_path: Path) -> None:
    done = shell(module, words, "| true", state=tmp_path)
    assert (done.returncode, done.stderr) in ((141, ""), (0, "")), "0 where all was written before the reader left"
    first = shell(module, f"{words} | (sleep 2; head -c 0)", "", state=tmp_path)
    assert first.stderr == ""


def test_a_reader_that_is_gone_from_the_start_is_141(tmp_path: Path) -> None:
    for module, words in PRINTING:
        reader, writer = os.pipe()
        os.close(reader)
        env = {**os.environ, "JETFLEET_STATE": str(tmp_path)}
        line = [sys.executable, "-m", module, *words.format(state=tmp_path).split()]
        with open(writer, "wb") as out:
            done = subprocess.run(line, stdout=out, stderr=subprocess.PIPE, text=True, env=env, timeout=60)
        assert (done.returncode, done.stderr) == (141, ""), words


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "<&-"])
def test_what_is_only_for_people_may_be_closed(redirected: str, tmp_path: Path) -> None:
    done = shell(CONTROLLER, "schema", redirected, state=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("{")
