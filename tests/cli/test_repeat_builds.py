"""Engines that are built several times, each build measured, through the whole fleet."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Command


def test_builds_are_engines_of_their_own_and_a_line_says_how_far_they_differ(
    command: Command, model: Callable[..., Path]
) -> None:
    job = model(
        variants="{runtime: [simulated], repeat_builds: 2}",
        measure="{runs: 2, warmup_s: 0, seconds: 0.1, max_seconds: 0.2}",
    )
    submitted = command("submit", str(job), "--local", "--wait")
    assert submitted.returncode == 0, submitted.stderr
    found = json.loads(command("results", "1", "--json").stdout)["results"]
    assert sorted(row["variant"] for row in found) == ["simulated-fp32-b1-cpu", "simulated-fp32-b1-cpu-build_2"]
    assert len({row["engine_key"] for row in found}) == 2
    assert all(len(row["runs"]) == 2 for row in found)
    assert "simulated-fp32-b1-cpu on local-1: 2 builds, p50" in command("results", "1").stdout
    (builds,) = json.loads(command("query", "SELECT variant, builds, spread FROM v_builds", "--json").stdout)["rows"]
    assert builds[:2] == ["simulated-fp32-b1-cpu", 2]
    assert builds[2] >= 0
