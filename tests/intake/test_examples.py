"""The examples are jobs that work."""

from pathlib import Path

import pytest

from controller.intake.jobfile.spec import load_spec
from controller.intake.prepare import prepare

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_job_file_is_right(path: Path) -> None:
    assert load_spec(path).points


@pytest.mark.parametrize(("name", "key"), [("onnx", "onnxruntime-fp32-b1-cpu"), ("simulated", "simulated-fp32-b1-cpu")])
def test_examples_without_torch(tmp_path: Path, name: str, key: str) -> None:
    prepared = prepare(EXAMPLES / name / "job.yaml", state_dir=tmp_path, progress=lambda line: None)
    (variant,) = prepared.spec.variants
    assert variant.key == key
    assert variant.options == ({"latency_ms": "2"} if name == "simulated" else {})
