"""PyTorch models: exported once, held against PyTorch, and refused in the user's own terms."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.intake.conftest import Workplace

TWO_INPUTS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.table = nn.Embedding(10, width)
        self.mix = nn.Linear(4, width)

    def forward(self, image, words, scale=2.0):
        mixed = self.mix(image)
        return {"sum": mixed + scale * self.table(words).mean(1), "flat": mixed.flatten()}

def load(width=3):
    net = Net(width)
    print("noise on stdout")
    return net
"""
JOB = """model:
  torch: mynet:load
  args: {width: 5}
  inputs:
    words: {shape: [batch, 6], dtype: int64, values: "uniform[0,9]"}
    image: {shape: [batch, 4]}
variants: {batch: [1, 5]}
"""
EXPORTING = "exporting to ONNX, opset 18"


def exports(place: Workplace) -> list[Path]:
    return sorted((place.state / "cache" / "exports").iterdir())


def exported(place: Workplace) -> bool:
    return any(line.startswith(EXPORTING) for line in place.progress)


def test_a_module_is_exported_once(place: Workplace) -> None:
    source = place.write("mynet.py", TWO_INPUTS)
    prepared = place.prepare(JOB)
    assert exported(place)
    for batch in (1, 5):
        inputs = place.arrays(prepared, "reference-input", batch)
        wanted = place.arrays(prepared, "reference-output", batch)
        assert inputs["words"].shape == (batch, 6)
        assert wanted.keys() != inputs.keys()
        model = next(item for item in prepared.spec.variants[0].artifacts if item.role.value == "model-fp32")
        session = onnxruntime.InferenceSession(str(prepared.files[model.sha256]), providers=["CPUExecutionProvider"])
        for name, found in zip([item.name for item in session.get_outputs()], session.run(None, inputs), strict=True):
            np.testing.assert_allclose(found, wanted[name], rtol=1e-3, atol=1e-4)
    assert str(place.folder).encode() not in prepared.files[model.sha256].read_bytes()

    (entry,) = exports(place)
    made_ns = (entry / "model.onnx").stat().st_mtime_ns
    again = place.prepare(JOB)
    assert not exported(place)
    assert again.files.keys() == prepared.files.keys()
    assert (exports(place), (entry / "model.onnx").stat().st_mtime_ns) == ([entry], made_ns)

    source.write_text(TWO_INPUTS + "# another word\n")
    place.prepare(JOB)
    assert exported(place)
    assert len(exports(place)) == 2


def test_other_weights_are_exported_again(place: Workplace) -> None:
    place.write(
        "mynet.py",
        "import numpy, torch\nfrom pathlib import Path\ndef load():\n    net = torch.nn.Linear(4, 2)\n"
        "    net.weight.data = torch.from_numpy(numpy.load(Path(__file__).parent / 'w.npy'))\n    return net\n",
    )
    job = "model:\n  torch: mynet:load\n  inputs: {x: {shape: [2, 4]}}\n"
    np.save(place.folder / "w.npy", np.ones((2, 4), dtype=np.float32))
    first = place.prepare(job)
    assert first.spec.variants[0].key == "onnxruntime-fp32-b2-cpu"
    np.save(place.folder / "w.npy", np.zeros((2, 4), dtype=np.float32))
    second = place.prepare(job)
    assert exported(place)
    assert first.files.keys() != second.files.keys()


HEAD = "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        "
LOAD = "\ndef load():\n    return Net()\n"


@pytest.mark.parametrize(
    ("body", "where", "message"),
    [
        ("return x * (2 if x.sum() > 0 else 3)", "mynet.py:5", "the model cannot be exported: *"),
        (
            "return x + torch.rand_like(x)",
            "mynet.py:5",
            "the model answers differently each time: two runs differ in output 'output'; operator aten.rand_like*",
        ),
        ("return x @ torch.ones(7, 7)", "mynet.py:5", "running the model raised RuntimeError: *"),
        ("return x.reshape(2, 4) * 2", "job.yaml:5:24", "forward() works for one batch size only: *"),
    ],
)
def test_models_that_cannot_be_exported(place: Workplace, body: str, where: str, message: str) -> None:
    place.write("mynet.py", HEAD + body + LOAD)
    error = place.refused("model:\n  torch: mynet:load\n  inputs: {x: {shape: [batch, 4]}}\n")
    assert error.where.startswith(where)
    assert error.message.startswith(message.rstrip("*"))
    assert "Traceback" not in str(error)


def test_what_job_yaml_must_say_about_a_module(place: Workplace) -> None:
    place.write("mynet.py", HEAD + "return x * 2" + LOAD + "def text():\n    return 'net'\n")
    error = place.refused("model:\n  torch: mynet:load\n")
    assert error.message == "forward() takes x, and job.yaml describes none of them"
    assert "    x: {shape: [batch, 3, 224, 224]}" in error.hint
    assert error.where == "job.yaml:4:3"
    error = place.refused("model:\n  torch: mynet:text\n  inputs: {x: {shape: [2]}}\n")
    assert (error.message, error.where) == ("mynet:text returned a str", "job.yaml:4:10")


def test_the_users_exception_is_told_with_its_place(place: Workplace) -> None:
    place.write("mynet.py", "def load():\n    raise ValueError('no weights in /data')\n")
    error = place.refused("model:\n  torch: mynet:load\n  inputs: {x: {shape: [2]}}\n")
    assert error.message == "load() raised ValueError: no weights in /data"
    assert error.where == "mynet.py:2"
    assert not exported(place)
