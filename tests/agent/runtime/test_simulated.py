"""The made-up runtime: repeatable, fast, honest about itself, and as wrong as it is told to be."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.runtime.simulated import SimulatedRuntime, SimulatedSession
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import PROVENANCE_SIMULATED, Artifact, BuildTask, Subject
from tests.agent.builders import Blobs, nowhere


def silent(phase: str, fraction: float | None, detail: str) -> None: ...


def load(folder: Path, *, outputs: Mapping[str, Any] | None = None, **options: str) -> SimulatedSession:
    blobs = Blobs(folder / "store")
    runtime = SimulatedRuntime()
    runtime.build(BuildTask(), folder, folder / "engine", nowhere, silent)

    def locate(artifact: Artifact) -> Path:
        return blobs.path(artifact.sha256)

    artifacts = blobs.references({}, outputs or {})
    return runtime.load(folder / "engine", Subject(options=options, artifacts=artifacts), locate)


def latencies(session: SimulatedSession, count: int) -> list[int]:
    found = []
    for _ in range(count):
        before = session.clock()
        session.infer()
        found.append(session.clock() - before)
    return found


def test_it_says_that_it_is_simulated() -> None:
    assert SimulatedRuntime().provenance == PROVENANCE_SIMULATED


def test_latencies_are_as_asked_and_the_same_every_time(tmp_path: Path) -> None:
    drawn = latencies(load(tmp_path, latency_ms="50", jitter="0.02", seed="3"), 5000)
    assert np.median(drawn) == pytest.approx(50e6, rel=0.01)
    assert np.std(drawn) == pytest.approx(1e6, rel=0.1)
    assert drawn == latencies(load(tmp_path, latency_ms="50", jitter="0.02", seed="3"), 5000)
    assert drawn != latencies(load(tmp_path, latency_ms="50", jitter="0.02", seed="4"), 5000)


def test_without_jitter_every_inference_takes_the_same(tmp_path: Path) -> None:
    assert set(latencies(load(tmp_path, jitter="0"), 10)) == {2_000_000}


def test_with_wall_it_really_takes_the_time(tmp_path: Path) -> None:
    before = time.perf_counter_ns()
    latencies(load(tmp_path, wall="1", latency_ms="5"), 4)
    assert time.perf_counter_ns() - before > 15_000_000


def test_outputs_are_the_reference_or_off_by_the_error(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {"scores": np.array([[1.0, -2.0]], np.float32), "ids": np.arange(100)}
    exact = load(tmp_path, outputs=wanted).outputs()
    assert all(np.array_equal(exact[name], wanted[name]) for name in wanted)
    wrong = load(tmp_path, outputs=wanted, output_error="0.5").outputs()
    assert wrong["scores"].tolist() == [[1.5, -3.0]]
    assert wrong["scores"].dtype == np.float32
    assert 0.2 < np.mean(wrong["ids"] == wanted["ids"]) < 0.8


@pytest.mark.parametrize(
    "options",
    [
        {"latency": "2"},
        {"latency_ms": "fast"},
        {"latency_ms": "-1"},
        {"latency_ms": "nan"},
        {"fail": "politely"},
        {"fail": "crash", "fail_at": "dawn"},
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        load(tmp_path, **options)


@pytest.mark.parametrize("content", ["not json", "[]", '{"real": 1}'])
def test_another_runtimes_engine_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "engine").write_text(content)
    with pytest.raises(BadInput, match="not an engine of the simulated runtime"):
        SimulatedRuntime().load(tmp_path / "engine", Subject(), lambda artifact: tmp_path)
