"""A module of the caller's process: exported from a copy, with nothing of the caller's changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from controller.intake.prepare import PreparedJob
from controller.intake.prepare_arguments import prepare_arguments
from controller.model.job import Role
from jetfleet.errors import BadInput


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = torch.nn.Linear(4, 3), torch.nn.Dropout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.dropout(self.linear(x))
        return found


class Branch(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def prepare(model: object, folder: Path, **arguments: Any) -> PreparedJob:
    return prepare_arguments(model, arguments, state_dir=folder / "state", progress=lambda _: None)


INPUTS: Mapping[str, Any] = {"x": ["batch", 4]}


def test_a_module_is_exported_and_stays_as_it_is(tmp_path: Path) -> None:
    net = Net().train()
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    found = prepare(net, tmp_path, inputs=INPUTS, batch=[1, 4])
    assert net.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (found.spec.name, found.spec.model_name) == ("Net", "Net")
    assert [variant.batch for variant in found.spec.variants] == [1, 4]
    (model,) = [item for item in found.spec.variants[0].artifacts if item.role is Role.MODEL_FP32]
    graph = onnx.load_model(str(found.files[model.sha256])).graph
    assert [item.name for item in graph.input] == ["x"]
    assert str(tmp_path) not in found.spec.source
    assert list((tmp_path / "state" / "cache").glob("module-*")) == []
    # Not cached by a name that another class may have, and the same again for the same weights.
    again = prepare(net, tmp_path, inputs=INPUTS, batch=[1, 4])
    assert again.spec == found.spec
    assert prepare(Net(), tmp_path, inputs=INPUTS, batch=[1, 4]).spec != found.spec


@pytest.mark.parametrize(
    ("model", "arguments", "where", "told"),
    [
        (Net(), {}, "submit(model)", "forward() takes x"),
        (Net(), {"inputs": {"x": ["batch", 5]}}, "submit(inputs)", "running the model raised"),
        (torch.relu, {}, "submit(model)", "is not a model"),
        ("missing.onnx", {}, "submit(model)", "missing.onnx"),
        (Net(), {"inputs": INPUTS, "precision": "int8"}, "submit(precision[0])", "int8 needs data"),
    ],
)
def test_a_mistake_is_placed(
    model: object, arguments: dict[str, Any], where: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as caught:
        prepare(model, tmp_path, **arguments)
    assert told in str(caught.value)
    assert caught.value.where == where or caught.value.where.startswith(str(Path(__file__)))


def test_what_cannot_be_exported_or_copied_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be exported"):
        prepare(Branch(), tmp_path, inputs=INPUTS)
    kept = Net()
    vars(kept)["last"] = kept.linear(torch.zeros(1, 4))  # no leaf: torch copies leaves only
    with pytest.raises(BadInput, match="cannot be copied") as caught:
        prepare(kept, tmp_path, inputs=INPUTS)
    assert caught.value.where == "submit(model)"
