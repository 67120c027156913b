"""Models that nobody here wrote, lowered for TensorRT and put through a strongly typed builder, without a GPU.

`make models` fetches them, `make test-models` runs this; without them it is skipped.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.intake.prepare import prepare
from controller.model.job import Role
from tests.intake.rtx import Engine, build
from tests.models.conftest import LIMIT_S, MODELS, report
from tests.models.test_real_models import ALL, ONNX, TORCH, Data

pytestmark = [pytest.mark.models, pytest.mark.timeout(LIMIT_S + 60)]

JOB = """apiVersion: jetfleet/v1
name: typed
model:
{model}
variants: {{precision: [{precisions}], runtime: [tensorrt]}}
"""
GRAPHS = (Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ)


@dataclass(frozen=True)
class Case:
    """The lines below `model:`, and the precisions."""

    lines: tuple[str, ...]
    precisions: tuple[str, ...]
    calibration: Data | None = None


def onnx_case(name: str, *inputs: str) -> Case:
    model = ONNX[name]
    lines = (f"onnx: {MODELS / model.file}", *(("inputs:", *(f"  {line}" for line in inputs)) if inputs else ()))
    return Case(lines, model.precisions, model.calibration)


def torch_case(name: str) -> Case:
    model = TORCH[name]
    lines = (f"torch: tests.models.nets:{model.entry}", "inputs:", *(f"  {line}" for line in model.inputs))
    return Case(lines, ALL, model.calibration)


CASES = {
    "ocr-detection": onnx_case("ocr-detection", "x: {shape: [batch, 3, 320, 320]}"),
    "ocr-recognition": onnx_case("ocr-recognition", "x: {shape: [batch, 3, 48, 320]}"),
    "ocr-recognition-v4": onnx_case("ocr-recognition-v4", "x: {shape: [batch, 3, 48, 320]}"),
    "ocr-direction": onnx_case("ocr-direction", "x: {shape: [batch, 3, 224, 224]}"),
    "file-type": onnx_case("file-type", 'bytes: {values: "uniform[0,256]"}'),
    "resnet-18": torch_case("resnet-18"),
    "vit-tiny": torch_case("vit-tiny"),
}
VOICE = (
    "input: {shape: [batch, 512]}",
    "state: {shape: [2, batch, 128]}",
    'sr: {values: "constant[16000]"}',
)


@pytest.mark.parametrize("name", CASES)
def test_every_graph_of_it_builds(tmp_path: Path, name: str) -> None:
    if name in TORCH and importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed: run `make models`")
    if name in ONNX and not (MODELS / ONNX[name].file).exists():
        pytest.skip(f"{ONNX[name].file} was not fetched: run `make models`")
    for role, engine in engines(tmp_path, CASES[name]).items():
        assert engine.problems == []
        kinds = engine.products()
        report(f"{name:20} {role.value:10} {len(engine.layers):4} layers, products in {', '.join(sorted(set(kinds)))}")
        assert {Role.MODEL_FP32: "Float", Role.MODEL_FP16: "Half", Role.MODEL_QDQ: "Int8"}[role] in kinds


def test_a_network_inside_an_if_is_more_than_this_builder_takes(tmp_path: Path) -> None:
    """Its parser takes it; the builder of TensorRT-RTX 1.7 ends with an error of its own."""
    if not (MODELS / ONNX["voice-activity"].file).exists():
        pytest.skip("voice-activity.onnx was not fetched: run `make models`")
    for engine in engines(tmp_path, onnx_case("voice-activity", *VOICE)).values():
        assert "graphScope.cpp" in engine.problems[0]


def engines(folder: Path, case: Case) -> dict[Role, Engine]:
    """One for every graph that the job's variants carry."""
    lines = list(case.lines)
    if case.calibration is not None:
        lines.append(case.calibration.save(folder / "calibration.npz"))
    job = folder / "job.yaml"
    job.write_text(JOB.format(model="\n".join(f"  {line}" for line in lines), precisions=", ".join(case.precisions)))
    prepared = prepare(job, state_dir=folder / "state", progress=lambda line: None)
    shapes = {spec.name: spec.shape for spec in prepared.spec.variants[0].inputs}
    found = {item.role: item for variant in prepared.spec.variants for item in variant.artifacts if item.role in GRAPHS}
    return {role: build(prepared.files[item.sha256].read_bytes(), shapes) for role, item in found.items()}
