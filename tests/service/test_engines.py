"""What a board would tell of its builds, through a real controller: wire, store, client and command. The board is
scripted, and its engines and numbers are made up: no TensorRT ran.
"""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.engine import DlaPlacement, Fallback, TimingCacheUse
from controller.model.job import Lowering, Role
from controller.model.result import FlagKind, Schedule
from jetfleet.errors import NotFound
from jetfleet.v1 import task_pb2
from testing.jobs import submit
from testing.processes import ControllerProcess
from tests.service.scripted import ScriptedAgent, measured, tensorrt_job

CACHE, LAYERS, PROFILE = (
    task_pb2.ARTIFACT_ROLE_TIMING_CACHE,
    task_pb2.ARTIFACT_ROLE_LAYERS,
    task_pb2.ARTIFACT_ROLE_LAYER_PROFILE,
)
ALONE, BESIDE = "tensorrt-fp16-b1-dla0", "tensorrt-fp16-b1-gpu+dla0"


@pytest.fixture
def board(controller: ControllerProcess, tmp_path: Path) -> Iterator[ScriptedAgent]:
    with ScriptedAgent(controller.address, tmp_path / "board") as agent:
        yield agent


def command(controller: ControllerProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "controller.cli.main", "--state", str(controller.state_dir), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def said(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def build_and_measure(client: Client, board: ScriptedAgent, folder: Path) -> int:
    """An engine for a DLA with everything that a build can tell, measured once."""
    job_id = submit(client, tensorrt_job(folder, "dla0"))
    lease = board.claim()
    dla = task_pb2.DlaReport(layers_on_dla=10, layers_on_gpu=1, subgraphs=2)
    dla.fallbacks.add(layer="softmax", type="SOFTMAX", reason="axis is not on a DLA")
    outcome = board.built(
        lease,
        cache=board.file(CACHE, "timing.cache", b"timings"),
        tactics_skipped=3,
        peak_device_bytes=900_000_000,
        device_memory_bytes=5_000_000,
        dla=dla,
        warnings=["a weight was clipped\x1b[2J"],
    )
    outcome.artifacts.append(board.file(LAYERS, "layers.json", b'{"Layers": []}'))
    assert board.commit(lease, outcome) == "SUCCEEDED"
    bench = board.claim()
    answer = measured(bench.task.bench)
    answer.artifacts.append(board.file(PROFILE, "layer-profile.json", b'{"runs": 1, "layers": []}'))
    assert board.commit(bench, answer) == "SUCCEEDED"
    return job_id


def test_the_client_tells_what_the_build_told(client: Client, board: ScriptedAgent, tmp_path: Path) -> None:
    job_id = build_and_measure(client, board, tmp_path / "job")
    found = client.engine(ALONE, job_id=job_id)
    assert (found.recipe.lowering, found.recipe.placement) == (Lowering.BUILDER_FLAGS, "dla")
    assert found.built is not None
    report = found.built.report
    assert found.built.build_s == 7
    assert (report.tactics_skipped, report.peak_device_bytes, report.device_memory_bytes) == (3, 900_000_000, 5_000_000)
    assert report.dla == DlaPlacement(10, 1, 2, (Fallback("softmax", "SOFTMAX", "axis is not on a DLA"),))
    assert report.timing_cache == TimingCacheUse((), 40, 2)
    assert [item.role for item in found.files] == [Role.LAYER_PROFILE, Role.LAYERS]
    assert found.audit is not None
    assert (found.audit.job_id, found.audit.verdict, found.audit.precision) == (job_id, "VALID", "")
    assert client.engine(found.key[:12]) == found
    assert [item.key for item in client.engines()] == [found.key]
    (row,) = client.results()
    assert [(flag.kind, flag.evidence) for flag in row.measurement.flags] == [
        (FlagKind.TACTICS_SKIPPED, "3 tactics were skipped for lack of memory while building")
    ]
    assert (row.measurement.verdict, row.measurement.value("dla_time_share")) == ("VALID", 0.9)
    assert (row.lowering, row.schedule, row.part) == (Lowering.BUILDER_FLAGS, Schedule.ALONE, "")
    with pytest.raises(NotFound, match="no engine is called nothing"):
        client.engine("nothing")


def test_the_command_shows_an_engine_and_fetches_its_layers(
    controller: ControllerProcess, client: Client, board: ScriptedAgent, tmp_path: Path
) -> None:
    assert "no engines yet" in said(command(controller, "engines"))
    build_and_measure(client, board, tmp_path / "job")
    listed = said(command(controller, "engines", "list"))
    assert "3 tactics skipped, 10 of 11 layers on DLA" in listed
    layers, profile = tmp_path / "layers.json", tmp_path / "profile.json"
    text = said(command(controller, "engine", "show", ALONE, "--layers", str(layers), "--profile", str(profile)))
    assert json.loads(layers.read_text()) == {"Layers": []}
    assert json.loads(profile.read_text())["runs"] == 1
    for wanted in (
        "builder-flags",
        "10 layers on DLA, 1 on GPU, 2 subgraphs",
        "cold, hits 40, misses 2",
        "axis is not on a DLA",
        "TACTICS_SKIPPED: 3 tactics were skipped for lack of memory while building",
        "builder: a weight was clipped",
        "class dla_compiler",
        "nothing found: measurement 1 of job 1 on orin, VALID",
    ):
        assert wanted in text
    assert "\x1b" not in text
    shown = json.loads(said(command(controller, "engines", "show", ALONE, "--json")))["engine"]
    assert (shown["build"]["tactics_skipped"], shown["dla_fallbacks"][0]["type"]) == (3, "SOFTMAX")
    (summary,) = json.loads(said(command(controller, "engines", "--json")))["engines"]
    assert summary == {name: shown[name] for name in summary}
    refused = command(controller, "engines", "show", "deadbeef")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "no engine is called deadbeef" in refused.stderr


def test_layers_that_nobody_left_are_a_mistake(
    controller: ControllerProcess, client: Client, board: ScriptedAgent, tmp_path: Path
) -> None:
    submit(client, tensorrt_job(tmp_path / "job"))
    lease = board.claim()
    board.commit(lease, board.built(lease))
    key = lease.task.build.engine_key
    refused = command(controller, "engines", "show", key, "--layers", str(tmp_path / "layers.json"))
    assert refused.returncode == 2
    assert f"engine {key[:12]} has no layers file" in refused.stderr
    assert not (tmp_path / "layers.json").exists()


def test_a_timing_cache_travels_to_the_next_build(client: Client, board: ScriptedAgent, tmp_path: Path) -> None:
    submit(client, tensorrt_job(tmp_path / "1"))
    lease = board.claim()
    assert not lease.task.build.timing_caches
    cache = board.file(CACHE, "timing.cache", b"timings")
    board.commit(lease, board.built(lease, cache=cache))
    bench = board.claim()
    board.commit(bench, measured(bench.task.bench))

    submit(client, tensorrt_job(tmp_path / "2", options={"avg_timing_iterations": "4"}))
    lease = board.claim()
    assert [(item.role, item.sha256) for item in lease.task.build.timing_caches] == [(CACHE, cache.sha256)]
    lost = task_pb2.Artifact(role=CACHE, name="timing.cache", sha256="ab" * 32, size_bytes=3)
    assert board.commit(lease, board.built(lease, cache=lost)) == "SUCCEEDED"  # the engine counts without it
    bench = board.claim()
    board.commit(bench, measured(bench.task.bench))

    submit(client, tensorrt_job(tmp_path / "3", options={"avg_timing_iterations": "2"}))
    assert [item.sha256 for item in board.claim().task.build.timing_caches] == [cache.sha256]


def test_subjects_that_ran_together_are_told_apart_in_every_form(
    controller: ControllerProcess, client: Client, board: ScriptedAgent, tmp_path: Path
) -> None:
    alone = build_and_measure(client, board, tmp_path / "alone")
    job_id = submit(client, tensorrt_job(tmp_path / "job", BESIDE.rpartition("-")[2]))
    lease = board.claim()
    assert lease.task.build.placement == "gpu"  # the DLA's engine is there
    board.commit(lease, board.built(lease))
    bench = board.claim()
    assert bench.task.bench.schedule == task_pb2.BenchTask.SCHEDULE_CONCURRENT
    board.commit(bench, measured(bench.task.bench))

    table = said(command(controller, "results", str(job_id)))
    for label in ("(subject 0: gpu)", "(subject 1: dla0)", "(whole task)"):
        assert f"{BESIDE} {label}" in table
    assert "n/a (n=1000)" in table
    assert "whole tasks: no p50, p90, p99: several subjects have no one latency" in table
    assert f"| {BESIDE} (whole task) |" in said(command(controller, "results", str(job_id), "--markdown"))
    lines = list(csv.DictReader(io.StringIO(said(command(controller, "results", str(job_id), "--csv")))))
    assert [(line["subject_index"], line["placement"], line["schedule"]) for line in lines] == [
        ("", "gpu+dla0", "CONCURRENT"),
        ("1", "dla0", "CONCURRENT"),
        ("0", "gpu", "CONCURRENT"),
    ]
    records = json.loads(said(command(controller, "results", str(job_id), "--json")))["results"]
    assert [(item["subject_index"], item["lowering"], item["dla_time_share"]) for item in records] == [
        (None, None, None),
        (1, "builder-flags", 0.9),
        (0, "typed-graph", None),
    ]
    compared = json.loads(said(command(controller, "compare", str(alone), str(job_id), "--by", "variant", "--json")))
    assert {item["answer"] for item in compared["compared"]["comparisons"]} == {"INCOMPARABLE"}
