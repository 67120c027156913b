"""A pipeline from job.yaml to its rows, by the command in real processes: a real agent, a real engine, real images."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from controller.api.client import Client
from testing.processes import AgentProcess, ControllerProcess, wait_online
from tests.cli.conftest import Command
from tests.intake.images import PIPELINE, image_network, save_frames

JOB = """apiVersion: jetfleet/v1
name: camera
model:
  onnx: m.onnx
  data: {evaluation: eval.npz, metrics: [top1, top5, {score: own.py:score}]}
variants: {precision: [fp32, fp16]}
measure: {warmup_s: 0, seconds: 0.1, max_seconds: 0.5}
"""
SCORE = "def score(outputs, labels):\n    return float(len(labels) + outputs['scores'].shape[1])\n"


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Beside a controller with an agent that runs what jobs bring."""
    controller = ControllerProcess(tmp_path / "state")
    options = ("--allow-callables", "--threads", "1")
    agent = AgentProcess(tmp_path / "agent", controller.address, name="board", extra=options)
    try:
        controller.ready()
        agent.start()
        with Client(controller.address) as client:
            wait_online(client, "board")
        yield Command(tmp_path / "state")
    finally:
        agent.kill()
        controller.kill()


def test_frames_become_answers_whose_stages_add_up(command: Command, tmp_path: Path) -> None:
    onnx.save_model(image_network(), str(tmp_path / "m.onnx"))
    save_frames(tmp_path / "frames")
    images = np.random.default_rng(0).random((6, 3, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "eval.npz", image=images, labels=np.arange(6) % 5)
    (tmp_path / "own.py").write_text(SCORE)
    (tmp_path / "job.yaml").write_text(JOB + PIPELINE)
    done = command("submit", str(tmp_path / "job.yaml"), "--wait", "--json")
    rows = json.loads(done.stdout)["results"]
    assert len(rows) == 2, done.stderr
    for found in rows:
        parts = [found[f"{name}_mean_ms"] for name in ("pre", "latency", "post", "residual")]
        assert sum(parts) == pytest.approx(found["e2e_mean_ms"], rel=0.01)
        assert min(parts[:3]) > 0
        assert found["accuracy_top5"] == 1.0
        assert found["score"] == 11.0
        assert found["accuracy_n"] == 6
    job = str(rows[0]["job_id"])
    assert "= e2e" in command("results", job).stdout
    bisected = json.loads(command("job", "bisect", job, "--json").stdout)["bisections"]
    assert [(item["variant"], item["first"], item["compared"] > 0) for item in bisected] == [
        ("onnxruntime-fp16-b1-cpu", None, True)
    ]
