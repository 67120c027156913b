"""Logs of real processes as JSON: one object a line, about what they say they are, with no secret in them."""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.api.client import Client
from jetfleet.log_fields import log_fields, note_fields
from jetfleet.plain_log import JsonFormatter
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, Process, wait_for, wait_online


def lines(process: Process) -> list[dict[str, Any]]:
    """What is not ours, as gRPC's own words, is not looked at."""
    return [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]


def one(found: list[dict[str, Any]], words: str) -> dict[str, Any]:
    return next(line for line in found if words in line["message"])


def test_lines_of_both_commands_say_what_they_are_about(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    command = ["-m", "controller.cli.main", "--state", str(state), "serve", "--log-format", "json"]
    served = Process([*command, "--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0"], tmp_path / "served.log")
    keep(served)
    served.start()
    wait_for(lambda: "serving" in served.log.read_text(), what="the controller")
    address = f"unix:{state / 'controller.sock'}"
    agent = AgentProcess(
        tmp_path / "board", address, name="board", facts=simulated_board(), extra=("--log-format", "json")
    )
    keep(agent)
    agent.start()
    with Client(address) as owner:
        secret = owner.access().create_token("ann", scope="reader").secret
        wait_online(owner, "board")
        job = submit(owner, simulated_job(tmp_path / "job"))
        owner.wait(job)
        device = owner.devices()[0].id
    agent.stop()
    served.stop()
    of_controller, of_agent = lines(served), lines(agent)
    submitted, committed = one(of_controller, "submitted"), one(of_controller, "committed")
    assert (submitted["job"], submitted["role"], submitted["call"]) == (str(job), "owner", "Control/SubmitJob")
    assert submitted["who"]
    assert (committed["device"], len(committed["attempt"])) == (device, 32)
    leased = one(of_controller, "leased")
    assert f"task {leased['task']} " in leased["message"]
    assert leased["attempt"] == committed["attempt"] or leased["device"] == device
    assert one(of_agent, "registered")["device"] == device
    delivered = one(of_agent, "committed")
    assert (delivered["job"], delivered["task"]) == (str(job), leased["task"])
    assert secret not in served.log.read_text() + agent.log.read_text()
    assert all({"at", "level", "logger", "message"} <= set(line) for line in of_controller + of_agent)


def test_what_a_name_holds_does_not_leave_its_line() -> None:
    note_fields(device="bo\x1bard", job=0, task="")
    try:
        record = logging.LogRecord("a", logging.INFO, "x.py", 1, "task %s", ("a\r\n2026 \u202eforged\x07",), None)
        text = JsonFormatter().format(record)
    finally:
        note_fields(device="", job="")
    assert "\n" not in text
    assert text.isascii()
    found = json.loads(text)
    assert found["message"] == "task a\\x0d\n2026 \\u202eforged\\x07"
    assert found["device"] == "bo\\x1bard"
    assert "task" not in found
    assert dict(log_fields()) == {}


def test_an_error_has_its_trace() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "x.py", 1, "it failed", (), sys.exc_info())
    assert "ValueError: why" in json.loads(JsonFormatter().format(record))["trace"]
