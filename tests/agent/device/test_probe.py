"""What a person adds to a device's facts, on its way through the child process that reads them."""

import json
import os
from pathlib import Path

import pytest

from agent.device.probe import ProbeOptions, attempt_env, parse_labels, probe_in_child
from jetfleet.errors import BadInput


def test_a_child_finds_the_board_and_the_labels_that_it_was_asked_for(tmp_path: Path) -> None:
    board = tmp_path / "orin.json"
    board.write_text(json.dumps({"sku": "orin-nano-8gb", "labels": {"rack": "a", "row": "1"}}))
    facts = probe_in_child(ProbeOptions(labels={"rack": "b=c", "empty": ""}, board=board))
    assert facts.sku == "orin-nano-8gb"
    assert dict(facts.labels) == {"rack": "b=c", "row": "1", "empty": ""}
    assert facts.simulated


def test_wrong_input_of_the_child_is_wrong_input_here(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read it: No such file"):
        probe_in_child(ProbeOptions(board=tmp_path / "missing.json"))


@pytest.mark.parametrize("pair", ["nonsense", "=value", ""])
def test_a_label_has_a_name_and_a_value(pair: str) -> None:
    assert parse_labels(["a=1", "b=", "a=2"]) == {"a": "2", "b": ""}
    with pytest.raises(BadInput, match="not a valid label"):
        parse_labels(["a=1", pair])


def test_attempts_hear_of_threads_that_are_not_those_of_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = len(os.sched_getaffinity(0))
    assert attempt_env({"A": "b"}, threads=cpus + 1) == {"A": "b", "JETFLEET_THREADS": str(cpus + 1)}
    monkeypatch.setattr("agent.device.probe.usable_cpus", lambda root: cpus)
    assert attempt_env({"A": "b"}, threads=None) == {"A": "b"}
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    monkeypatch.setattr("agent.device.probe.usable_cpus", lambda root: 2)
    assert attempt_env({"A": "b"}, threads=None) == {"A": "b", "JETFLEET_THREADS": "2"}
