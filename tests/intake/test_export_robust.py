"""Models as people write them: many inputs and outputs of any kind, open sizes, and exporters that give up."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from controller.intake.export.failures import explain
from controller.intake.prepare import PreparedJob
from tests.intake.conftest import Workplace

HEAD = "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        "
LOAD = "\ndef load():\n    return Net()\n"
JOB = "model:\n  torch: mynet:load\n  inputs: {x: {shape: [batch, 4]}}\n"

MANY = """
from collections import namedtuple
from dataclasses import dataclass
import torch
from torch import nn

Pair = namedtuple("Pair", "left right")

@dataclass
class Answer:
    score: torch.Tensor
    loss: torch.Tensor | None
    layers: tuple
    more: dict
    temperature: float = 0.5

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, ids, mask, image, scale=None):
        words = self.table(ids) * mask.unsqueeze(-1)
        return Answer(
            score=words.sum((1, 2)) + image.mean((1, 2)),
            loss=None,
            layers=(words, words * 2),
            more={"pair": Pair(mask, ids + 1), "image": image, "same": words},
        )

def load():
    return Net()
"""
MANY_JOB = """model:
  torch: mynet:load
  inputs:
    image: {shape: [batch, rows=6, 5]}
    mask: {shape: [batch, seq=8], dtype: bool, values: "uniform[0,1]"}
    ids: {shape: [batch, seq=8], dtype: int64, values: "uniform[0,9]"}
variants: {batch: [1, 4]}
"""


def model_of(prepared: PreparedJob) -> str:
    artifact = next(item for item in prepared.spec.variants[0].artifacts if item.role.value == "model-fp32")
    return str(prepared.files[artifact.sha256])


def test_inputs_and_outputs_of_every_kind(place: Workplace) -> None:
    place.write("mynet.py", MANY)
    prepared = place.prepare(MANY_JOB)
    session = onnxruntime.InferenceSession(model_of(prepared), providers=["CPUExecutionProvider"])
    assert [(item.name, item.type, item.shape) for item in session.get_inputs()] == [
        ("ids", "tensor(int64)", ["batch", "seq"]),
        ("mask", "tensor(bool)", ["batch", "seq"]),
        ("image", "tensor(float)", ["batch", "rows", 5]),
    ]
    names = ["score", "layers.0", "layers.1", "more.pair.left", "more.pair.right", "more.image", "more.same"]
    assert [item.name for item in session.get_outputs()] == names
    assert list(place.arrays(prepared, "reference-output", 4)) == names
    assert {item.name: item.shape for item in prepared.spec.variants[1].inputs}["mask"] == (4, 8)
    found = session.run(None, place.arrays(prepared, "reference-input", 4))
    for wanted, value in zip(place.arrays(prepared, "reference-output", 4).values(), found, strict=True):
        assert (value.dtype, value.shape) == (wanted.dtype, wanted.shape)
    assert any("returns a float as 'temperature'" in line for line in place.progress)


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        ("x * 2", ["output"]),
        ("(x * 2, [x + 1])", ["output.0", "output.1.0"]),
        ("{'x': x * 2, 7: x + 1}", ["x.out", "output.7"]),
    ],
)
def test_names_of_outputs(place: Workplace, returned: str, names: list[str]) -> None:
    place.write("mynet.py", HEAD + f"return {returned}" + LOAD)
    model = onnx.load_model(model_of(place.prepare(JOB)))
    assert [item.name for item in model.graph.output] == names


@pytest.mark.parametrize(
    ("body", "job", "where", "message", "hint"),
    [
        (
            "y = x.unsqueeze(1)\n        return torch.linalg.eigvalsh(y * y.mT)",
            JOB,
            "mynet.py:6",
            "the exporter has no ONNX for the operator aten._linalg_eigh.default: No ONNX function found for",
            "compute it outside of the model",
        ),
        ("return {'cache': object(), 'x': x}", JOB, "job.yaml:4:10", "forward() returns a object as 'cache'", ""),
        ("return None", JOB, "job.yaml:4:10", "forward() returns no tensor", ""),
        (
            "return x + torch.ones(3, 1)",
            JOB.replace("[batch, 4]", "[batch, seq=3, 4]"),
            "job.yaml:5:31",
            "forward() works for one size of seq only: it fixes dimension 1 of input 'x'",
            "or write a number in place of `seq`",
        ),
    ],
)
def test_failures_name_the_operator_and_the_line(
    place: Workplace, body: str, job: str, where: str, message: str, hint: str
) -> None:
    place.write("mynet.py", HEAD + body + LOAD)
    error = place.refused(job)
    assert (error.where, error.message[: len(message)]) == (where, message)
    assert hint in error.hint


def test_one_name_is_one_size(place: Workplace) -> None:
    place.write("mynet.py", HEAD.replace("x):", "x, y):") + "return x + y" + LOAD)
    error = place.refused(JOB.replace("x: {shape: [batch, 4]}", "x: {shape: [n=4]}, y: {shape: [n=5]}"))
    assert (error.message, error.where) == ("n is 4 elsewhere, and 5 here", "job.yaml:5:43")


def test_the_legacy_exporter_only_when_asked(place: Workplace) -> None:
    body = "return x * 2 if x.sum() > -1e9 else x * 3"
    place.write("mynet.py", HEAD + body + LOAD)
    assert "cannot be exported" in place.refused(JOB).message
    prepared = place.prepare(JOB + "export: {exporter: legacy}\n")
    assert any("legacy exporter" in line for line in place.progress)
    assert "exporter: legacy" in prepared.spec.source
    assert str(place.folder).encode() not in Path(model_of(prepared)).read_bytes()
    place.write("mynet.py", HEAD + "return x * 2" + LOAD)
    place.prepare(JOB + "export: {exporter: legacy}\n")
    place.prepare(JOB)
    assert len(list((place.state / "cache" / "exports").iterdir())) == 3


def test_the_legacy_exporter_is_not_believed(place: Workplace) -> None:
    place.write("mynet.py", HEAD + "return x.reshape(int(x.shape[0]), -1) + len(x) * torch.ones(1)" + LOAD)
    error = place.refused(JOB + "export: {exporter: legacy}\n")
    assert error.message.startswith("the export ")


def test_a_module_imported_inside_forward_is_part_of_the_key(place: Workplace) -> None:
    place.write("late.py", "def scale(x):\n    return x * 2\n")
    place.write("mynet.py", HEAD + "import late\n        return late.scale(x)" + LOAD)
    first = place.prepare(JOB)
    place.write("late.py", "def scale(x):\n    return x * 3\n")
    second = place.prepare(JOB)
    assert model_of(first) != model_of(second)


def test_lazy_weights_are_part_of_the_key(place: Workplace) -> None:
    place.write("mynet.py", "from torch import nn\ndef load():\n    return nn.Sequential(nn.LazyLinear(3))\n")
    assert place.prepare(JOB.replace("x:", "input:")).files


def test_the_line_inside_a_library_that_the_users_module_wraps(tmp_path: Path) -> None:
    own = tmp_path / "net.py"
    own.touch()
    deep = f'no\n  File "{own}", line 3, in forward\n  File "{np.__file__}", line 9, in forward'
    error = explain(ValueError(deep), [])
    assert (error.where, error.message[-18:]) == (f"{own}:3", " (in __init__.py:9)"[-18:])
    assert "attn_implementation='eager'" in error.hint
    assert "exporter: legacy" in error.hint
    shallow = f'no\n  File "{np.__file__}", line 9, in call\n  File "{own}", line 3, in forward'
    error = explain(ValueError(shallow), [])
    assert "(in" not in error.message
    assert "eager" not in error.hint
