"""Weights that do not fit into one protobuf: written beside the graph, and as good as any others."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from controller.intake.inspect_model import check
from tests.intake.conftest import Workplace

NET = """
from torch import nn

def load(width, depth):
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(depth)))
"""
JOB = """model:
  torch: widenet:load
  args: {{width: {width}, depth: {depth}}}
  inputs: {{input: {{shape: [batch, {width}]}}}}
"""
# The child's work with a bound that a small model passes.
SMALL_BOUND = """
import json, sys
from pathlib import Path
from controller.intake.export import exporters
from controller.intake.prepare_model import make
from controller.intake.child import request_for
from controller.intake.jobfile.spec import load_spec
job, state, out = map(Path, sys.argv[1:])
exporters.EXTERNAL_OVER_BYTES = 0
made = make(request_for(load_spec(job), state, out), lambda line: None)
print(json.dumps({item.role.value: item.path for item in made.files}))
"""


def test_weights_beside_the_graph(place: Workplace) -> None:
    place.write("widenet.py", NET)
    job = place.job(JOB.format(width=64, depth=2) + "variants: {batch: [2]}\n")
    out = place.folder / "out"
    out.mkdir()
    made = subprocess.run(
        [sys.executable, "-c", SMALL_BOUND, str(job), str(place.state), str(out)], check=True, stdout=subprocess.PIPE
    )
    files = json.loads(made.stdout.splitlines()[-1])
    assert files["model-data"].endswith("model.onnx.data")
    assert Path(files["model-data"]).stat().st_size == 2 * 64 * 64 * 4
    model = onnx.load(files["model-fp32"], load_external_data=False)
    entries = [entry for item in model.graph.initializer for entry in item.external_data]
    assert {entry.value for entry in entries if entry.key == "location"} == {"model.onnx.data"}
    assert np.load(files["reference-output"]).shape == (2, 64)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_over_two_gigabytes(place: Workplace) -> None:
    """2.3 GB of float32: 9 layers of 8,000 x 8,000. Needs about 10 GB of memory and of disk."""
    place.write("widenet.py", NET)
    job = place.job(JOB.format(width=8000, depth=9))
    report = check(job, state_dir=place.state, progress=place.progress.append)
    assert report.size_bytes > 1 << 31
    assert [item.batch for item in report.agreements] == [1, 3]
    assert check(job, state_dir=place.state, progress=place.progress.append).cached
