"""Models that nobody here wrote, through the whole fleet: at most with the lines that the error message says to add.

`make models` fetches them, `make test-models` runs this; without them it is skipped.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.models.conftest import LIMIT_S, MODELS, Desk, report

pytestmark = [pytest.mark.models, pytest.mark.timeout(LIMIT_S + 60)]

JOB = """apiVersion: jetfleet/v1
name: {name}
model:
{model}
variants: {{precision: [{precisions}]}}
measure: {{runs: 2, warmup_s: 0.1, seconds: 0.3, max_seconds: 1}}
"""
FP32 = ("fp32",)
FP16 = ("fp32", "fp16")
ALL = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class Data:
    """Calibration rows for one input, uniform between two bounds."""

    name: str
    shape: tuple[int, ...]
    dtype: type[np.generic]
    low: float
    high: float

    def save(self, path: Path) -> str:
        """Writes sixteen rows; returns the line of YAML that names them."""
        rows = np.random.default_rng(0).uniform(self.low, self.high, (16, *self.shape)).astype(self.dtype)
        np.savez(path, **{self.name: rows})
        return f"data: {{calibration: {path.name}}}"


@dataclass(frozen=True)
class Model:
    """A file of `make models`, and the precisions that make sense for it; `most`: lines that may have to be added."""

    file: str
    most: int
    precisions: tuple[str, ...] = FP32
    calibration: Data | None = None


ONNX = {
    "ocr-detection": Model("ocr-detection.onnx", 2, FP16),
    "ocr-recognition": Model("ocr-recognition.onnx", 2, FP16),
    "ocr-recognition-v4": Model("ocr-recognition-v4.onnx", 2, FP16),
    "ocr-direction": Model("ocr-direction.onnx", 2, ALL, Data("x", (3, 224, 224), np.float32, -1, 1)),
    "voice-activity": Model("voice-activity.onnx", 3),  # its network stands inside an If
    "file-type": Model("file-type.onnx", 0, ALL, Data("bytes", (2048,), np.int32, 0, 256)),
}


@dataclass(frozen=True)
class Torch:
    """A callable of nets.py with the inputs that a module, which declares none, must be given."""

    entry: str
    inputs: tuple[str, ...]
    precisions: tuple[str, ...]
    needs: str = ""
    calibration: Data | None = None


_IMAGES = Data("pixel_values", (3, 96, 96), np.float32, -2, 2)
_IMAGE = ('pixel_values: {shape: [batch, 3, 96, 96], values: "uniform[-2,2]"}',)
_TEXT = (
    'input_ids: {shape: [batch, seq=64], dtype: int64, values: "uniform[1000,20000]"}',
    'attention_mask: {shape: [batch, seq=64], dtype: int64, values: "constant[1]"}',
)
TORCH = {
    "resnet-18": Torch("resnet", _IMAGE, ALL, calibration=_IMAGES),
    "vit-tiny": Torch("vit", _IMAGE, ALL, calibration=_IMAGES),
    "minilm": Torch("minilm", _TEXT, FP16, needs="minilm/model.safetensors"),
}


@pytest.mark.parametrize("name", ONNX)
def test_an_onnx_file_of_somebody_elses(desk: Desk, name: str) -> None:
    model = ONNX[name]
    path = _fetched(model.file)
    lines = [f"onnx: {path}"]
    if model.calibration is not None:
        lines.append(model.calibration.save(desk.folder / "calibration.npz"))
    rows = desk.submit_as_told(_job(name, lines, model.precisions))
    assert len(desk.added) <= model.most
    _hold(name, rows, model.precisions, added=len(desk.added))


@pytest.mark.parametrize("name", TORCH)
def test_a_module_of_somebody_elses(desk: Desk, name: str) -> None:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed: run `make models`")
    model = TORCH[name]
    lines = [f"torch: tests.models.nets:{model.entry}"]
    if model.needs:
        lines.append(f"args: {{folder: {_fetched(model.needs).parent}}}")
    lines += ["inputs:", *(f"  {line}" for line in model.inputs)]
    if model.calibration is not None:
        lines.append(model.calibration.save(desk.folder / "calibration.npz"))
    rows = desk.submit_as_told(_job(name, lines, model.precisions), rounds=1)
    _hold(name, rows, model.precisions, added=0)


def _fetched(name: str) -> Path:
    path = MODELS / name
    if not path.exists():
        pytest.skip(f"{name} was not fetched: run `make models`")
    return path


def _job(name: str, lines: list[str], precisions: tuple[str, ...]) -> str:
    model = "\n".join(f"  {line}" for line in lines)
    return JOB.format(name=name, model=model, precisions=", ".join(precisions))


def _hold(name: str, rows: list[dict[str, object]], precisions: tuple[str, ...], *, added: int) -> None:
    """Every precision was measured here, and every output was held against ONNX Runtime's or PyTorch's own."""
    assert sorted(str(row["precision"]) for row in rows) == sorted(precisions)
    for row in rows:
        checks = row["checks"]
        assert isinstance(checks, list)
        assert checks
        assert all(check["passed"] for check in checks), checks
        assert row["provenance"] == "MEASURED"
        p50 = row["p50_ms"]
        assert isinstance(p50, float)
        report(f"{name:20} {row['precision']!s:5} p50 {p50:8.3f} ms, {len(checks)} outputs, {added} lines added")
