"""The digits example, trained for real: what its INT8 graphs lose against FP32, on the images held out."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from controller.core.keys import build_artifacts
from controller.intake.prepare import prepare
from controller.model.job import Lowering, Precision
from jetfleet.placement import Placement
from tests.intake.graphs import hold_to_qdq_rules

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
JOB = """apiVersion: jetfleet/v1
name: digits
model:
  torch: net:load
  inputs:
    image: {{shape: [batch, 1, 8, 8], dtype: float32, values: "uniform[0,1]"}}
  data: {{evaluation: {trained}/eval.npz, calibration: {trained}/calibration.npz}}
variants:
  precision: [fp32, fp16, int8]
  runtime: [onnxruntime, tensorrt]
  placement: [cpu, gpu, dla0]
  exclude:
    - {{runtime: tensorrt, placement: cpu}}
    - {{runtime: onnxruntime, placement: gpu}}
    - {{runtime: onnxruntime, placement: dla0}}
    - {{precision: fp32, placement: dla0}}
"""
TIMEOUT_S = 300


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_int8_over_fp16_loses_less_than_a_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = tmp_path / "trained"
    train = [sys.executable, str(EXAMPLE / "train.py"), str(trained)]
    subprocess.run(
        train, check=True, timeout=TIMEOUT_S, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True
    )
    monkeypatch.setenv("DIGITS_DIR", str(trained))
    (tmp_path / "net.py").write_bytes((EXAMPLE / "net.py").read_bytes())
    job = tmp_path / "job.yaml"
    job.write_text(JOB.format(trained=trained))
    prepared = prepare(job, state_dir=tmp_path / "state", progress=lambda line: None, timeout_s=TIMEOUT_S)
    held_out = np.load(trained / "eval.npz")
    accuracy = {}
    for variant in prepared.spec.variants:
        where = Placement(variant.placement).engine
        (graph, *data) = build_artifacts(variant.artifacts, variant.precision, Lowering.TYPED_GRAPH, placement=where)
        assert not data
        path = prepared.files[graph.sha256]
        if variant.precision is Precision.INT8:
            assert hold_to_qdq_rules(onnx.load(str(path))) >= 20  # five products, two inputs, a pair each
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (scores,) = session.run(None, {"image": held_out["image"]})
        accuracy[variant.key] = float(np.mean(np.asarray(scores).argmax(1) == held_out["labels"]))
    best = accuracy["onnxruntime-fp32-b1-cpu"]
    assert best > 0.95
    assert len(accuracy) == 8
    assert {key: value for key, value in accuracy.items() if abs(value - best) > 0.01} == {}
