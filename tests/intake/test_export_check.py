"""`controller export`, as people run it: a look at a model, with no controller at all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.intake.conftest import Workplace, linear

ONNX = "model:\n  onnx: m.onnx\n"


def run(place: Workplace, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "controller.cli.main", "--state", str(place.state), "export"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=100)


def test_an_onnx_file(place: Workplace) -> None:
    place.model(linear())
    done = run(place, "--check", str(place.job(ONNX)))
    assert done.returncode == 0, done.stderr
    ports, batches = done.stdout.splitlines()[:3], done.stdout.splitlines()[3:]
    assert ports == ["input   x float32 [N, 4]", "output  y float32 [N, 3]", "opset   17, 0.0 MB"]
    assert [line.split(":")[0] for line in batches] == ["batch 1", "batch 3"]
    assert sorted(path.name for path in place.state.iterdir()) == ["cache"]
    assert list((place.state / "cache").iterdir()) == []


def test_a_module_and_its_files(place: Workplace) -> None:
    place.write("mynet.py", "from torch import nn\ndef load():\n    return nn.Linear(4, 2)\n")
    job = place.job("model:\n  torch: mynet:load\n  inputs: {input: {shape: [batch, 4]}}\n")
    output = place.folder / "out"
    done = run(place, str(job), "--output", str(output), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["export"]
    assert report["files"] == [str(output / "model.onnx")]
    assert report["size_bytes"] == (output / "model.onnx").stat().st_size
    assert report["outputs"] == [{"name": "output", "dtype": "float32", "dims": ["batch", 2]}]
    assert (report["reference"], report["exporter"], report["opset"]) == ("PyTorch", "dynamo", 18)
    assert all(item["max_abs_error"] < 1e-4 for item in report["agreements"])
    again = run(place, str(job), "--output", str(output))
    assert (again.returncode, again.stderr.splitlines()[0]) == (2, f"error: {output} is there already")


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        (("N", "T", 4), ("--check",), "dimension 1 (T) of input 'x' has no size"),
        (("N", 4), (), "neither --check nor --output is given"),
    ],
)
def test_what_is_refused(
    place: Workplace, shape: tuple[str | int, ...], arguments: tuple[str, ...], message: str
) -> None:
    place.model(linear(shape))
    done = run(place, *arguments, str(place.job(ONNX)))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_missing_job_file(place: Workplace) -> None:
    done = run(place, "--check", "--json", str(Path("nowhere.yaml")))
    assert done.returncode == 2
    assert "nowhere.yaml" in json.loads(done.stderr)["error"]["message"] + json.loads(done.stderr)["error"]["where"]
