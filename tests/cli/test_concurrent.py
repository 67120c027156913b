"""Subjects measured at the same time, through the whole fleet: job file, plan, agent, database and report."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command


def rows(command: Command, job: Path) -> list[dict[str, Any]]:
    """The results of a job run by a local agent: first the subjects, in their order, then the whole."""
    submitted = command("submit", str(job), "--local", "--wait")
    assert submitted.returncode == 0, submitted.stderr
    found: list[dict[str, Any]] = json.loads(command("results", "1", "--json").stdout)["results"]
    return sorted(found, key=lambda row: (row["subject_index"] is None, row["subject_index"]))


def test_two_on_one_cpu_have_a_row_each_and_one_for_both(command: Command, model: Callable[..., Path]) -> None:
    measure = "{runs: 2, warmup_s: 0.1, seconds: 0.3, max_seconds: 2}"
    job = model(variants="{runtime: [onnxruntime], placement: [cpu, cpu+cpu]}", measure=measure)
    found = rows(command, job)
    (alone,) = [row for row in found if row["schedule"] == "ALONE"]
    *parts, whole = [row for row in found if row["schedule"] == "CONCURRENT"]
    assert alone["n"] > 0
    assert [row["subject_index"] for row in (*parts, whole)] == [0, 1, None]
    assert {row["provenance"] for row in found} == {"MEASURED"}
    assert whole["n"] == sum(row["n"] for row in parts)
    per_s = [[run["metrics"]["throughput_per_s"] for run in row["runs"]] for row in (*parts, whole)]
    assert per_s[2] == pytest.approx([first + second for first, second in zip(*per_s[:2], strict=True)])
    counted = [per_s[2][place] for place, run in enumerate(whole["runs"]) if run["void_reason"] is None]
    assert whole["throughput_per_s"] == pytest.approx(statistics.median(counted))
    assert whole["p50_ms"] is None
    assert "see its subjects" in whole["p50_ms_reason"]
    for row in parts:
        assert row["p50_ms"] > 0
        assert row["checks"][0]["passed"]
        assert len(row["rounds"]) == len(parts[0]["rounds"]) > 0
    assert len({run["samples_sha256"] for row in parts for run in row["runs"]}) == 2 * len(parts[0]["runs"])
    shown = command("results", "1").stdout
    assert "(whole task)" in shown
    assert "(subject 0: cpu)" in shown
    assert "(subject 1: cpu)" in shown


def test_simulated_parts_add_up_exactly(command: Command, model: Callable[..., Path]) -> None:
    options = "{simulated: {latency_ms: 4, jitter: 0}}"
    job = model(variants="{runtime: [simulated], placement: [gpu+dla0+dla1]}", options=options)
    found = rows(command, job)
    assert [row["placement"] for row in found] == ["gpu", "dla0", "dla1", "gpu+dla0+dla1"]
    assert [row["throughput_per_s"] for row in found] == pytest.approx([250, 250, 250, 750])
    assert {row["verdict"] for row in found} == {"VALID"}
