"""`controller noise` as a process against a simulated board: benches run, levels shown, compare learns from them."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Command

Model = Callable[..., Path]


def test_noise_is_measured_shown_and_learnt_from(fleet: Command, model: Model) -> None:
    path = str(model(name="steady", options="{simulated: {latency_ms: 3}}"))
    done = fleet("noise", "board", "--job", path, "--benches", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert "bench 2 of 2: job" in done.stderr
    noise = json.loads(done.stdout)["noise"]
    assert (noise["device"], noise["provenance"], noise["metric"]) == ("board", "SIMULATED", "p50_ms")
    benches = {level["level"]: level["values"] for level in noise["levels"]}
    assert benches["bench"] + benches["bench of one process"] >= 2
    shown = fleet("noise", "board", "--benches", "0")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0].split()[:2] == ["level", "values"]
    assert "compare reckons with a noise floor of" in shown.stdout


def test_without_a_job_a_small_network_is_timed(fleet: Command) -> None:
    done = fleet("noise", "board", "--benches", "1")
    assert done.returncode == 0, done.stderr
    assert "bench 1 of 1: job" in done.stderr


def test_mistakes(fleet: Command, model: Model) -> None:
    assert fleet("noise", "nobody").returncode == 2
    wrong = fleet("noise", "board", "--metric", "p98_ms", "--benches", "1")
    assert wrong.returncode == 2
    assert "there is no metric 'p98_ms'" in wrong.stderr
    failing = str(model(options="{simulated: {fail: crash}}"))
    assert fleet("noise", "board", "--job", failing, "--benches", "3").returncode == 1


def test_the_noise_of_a_simulated_job_is_not_shown_as_the_machines(command: Command, model: Model) -> None:
    simulated = model(name="made-up", options="{simulated: {latency_ms: 3}}", targets="[{every: {device: local-1}}]")
    assert command("submit", str(simulated), "--local", "--wait").returncode == 0
    done = command("noise", "local-1", "--job", str(simulated), "--benches", "1", "--json")
    assert done.returncode == 0, done.stderr
    noise = json.loads(done.stdout)["noise"]
    values = {level["level"]: level["values"] for level in noise["levels"]}
    assert (noise["provenance"], values["run"] > 0) == ("SIMULATED", True)


def test_a_job_that_measures_nothing_there_says_nothing_of_the_device(command: Command, model: Model) -> None:
    elsewhere = str(model(targets="[{every: {device: local-1}}]"))
    assert command("submit", elsewhere, "--local=2", "--wait").returncode == 0
    done = command("noise", "local-2", "--job", elsewhere, "--benches", "1")
    assert done.returncode == 2
    assert "measured nothing on local-2" in done.stderr
