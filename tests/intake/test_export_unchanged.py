"""A module is exported as it is: never changed by it, known by everything that it keeps, and compared when cached."""

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.intake.conftest import Workplace

JOB = "model:\n  torch: mynet:Net\n  inputs: {x: {shape: [batch, 3]}}\n"
NET = """
import os, enum, torch, numpy as np
from torch import nn
HERE = os.path.dirname(os.path.abspath(__file__))
NUMBERS = np.load(HERE + "/numbers.npy")
class Config:
    def __init__(self):
        self.inner = {"numbers": [float(number) for number in NUMBERS]}
class Net(nn.Module):
    TABLE = torch.from_numpy(NUMBERS)
    def __init__(self):
        super().__init__()
        self.kept = %s
    def forward(self, x):
        return x * %s
"""
KEPT = {
    "tensor": ("torch.from_numpy(NUMBERS)", "self.kept"),
    "array": ("NUMBERS.copy()", "torch.from_numpy(self.kept)"),
    "list": ("[float(number) for number in NUMBERS]", "torch.tensor(self.kept)"),
    "tensors in a dict": ("{'a': (torch.from_numpy(NUMBERS),)}", "self.kept['a'][0]"),
    "an object": ("Config()", "torch.tensor(self.kept.inner['numbers'])"),
    "a closure": ("(lambda t: lambda: t)(torch.from_numpy(NUMBERS))", "self.kept()"),
    "modules in a list": ("[nn.ParameterList([torch.from_numpy(NUMBERS)])]", "self.kept[0][0]"),
    "the class": ("None", "self.TABLE"),
    "the module": ("None", "torch.from_numpy(NUMBERS)"),
}


def is_exported_anew(place: Workplace) -> bool:
    place.prepare(JOB)
    return any(line.startswith("exporting to ONNX") for line in place.progress)


@pytest.mark.parametrize("kept", KEPT)
def test_a_key_covers_what_the_module_keeps(place: Workplace, kept: str) -> None:
    place.write("mynet.py", NET % KEPT[kept])
    np.save(place.folder / "numbers.npy", np.float32([1, 2, 3]))
    assert is_exported_anew(place)
    assert not is_exported_anew(place)
    np.save(place.folder / "numbers.npy", np.float32([4, 5, 6]))
    assert is_exported_anew(place)
    assert not any("is made anew" in line for line in place.progress)  # by its key, not by its answers


def test_a_hit_that_answers_differently_is_exported_anew(place: Workplace) -> None:
    """What forward() itself reads no key can know."""
    place.write("mynet.py", NET % ("None", "torch.from_numpy(np.load(HERE + '/read.npy'))"))
    np.save(place.folder / "numbers.npy", np.float32([0, 0, 0]))
    for numbers in ([1, 2, 3], [4, 5, 6]):
        np.save(place.folder / "read.npy", np.float32(numbers))
        prepared = place.prepare(JOB)
        (artifact,) = [item for item in prepared.spec.variants[0].artifacts if item.role.value == "model-fp32"]
        session = onnxruntime.InferenceSession(str(prepared.files[artifact.sha256]))
        assert session.run(None, {"x": np.ones((1, 3), "f4")})[0].tolist() == [numbers]
    assert any("the export in the cache is not this model's and is made anew" in line for line in place.progress)
    place.prepare(JOB)
    assert "the export is in the cache" in place.progress


PICKY = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
    def forward(self, x):
        assert "forward" not in vars(self)
        assert type(self).forward is Net.forward
        return {"y": x * self.weight}
"""


@pytest.mark.parametrize("exporter", ["dynamo", "legacy"])
def test_the_module_is_not_touched(place: Workplace, exporter: str) -> None:
    place.write("mynet.py", PICKY)
    prepared = place.prepare(f"{JOB}export: {{exporter: {exporter}}}\n")
    (artifact,) = [item for item in prepared.spec.variants[0].artifacts if item.role.value == "model-fp32"]
    model = onnx.load_model(str(prepared.files[artifact.sha256]))
    assert [item.name for item in model.graph.output] == ["y"]
    if exporter == "dynamo":
        assert [item.name for item in model.graph.initializer] == ["weight"]


LANGUAGE = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.kinds = nn.Embedding(40, 4), nn.Embedding(2, 4)
        self.register_buffer("table", torch.randn(6, 4))
    def forward(self, input_ids, kinds, rows, attention_mask):
        x = self.words(input_ids) + self.kinds(kinds) + self.table[rows]
        return x * attention_mask.unsqueeze(-1)
"""


def test_integers_are_indices_of_the_modules_tables(place: Workplace) -> None:
    place.write("mynet.py", LANGUAGE)
    names = ("input_ids", "kinds", "rows", "attention_mask")
    inputs = "".join(f"    {name}: {{shape: [batch, 16], dtype: int64}}\n" for name in names)
    prepared = place.prepare(f"model:\n  torch: mynet:Net\n  inputs:\n{inputs}")
    arrays = place.arrays(prepared, "reference-input", 1)
    assert {name: int(array.max()) for name, array in arrays.items()} == pytest.approx(
        {"input_ids": 35, "kinds": 1, "rows": 5, "attention_mask": 1}, abs=4
    )
    assert arrays["attention_mask"].min() == 1
    assert len(np.unique(arrays["input_ids"])) > 5
