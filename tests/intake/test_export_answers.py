"""An export held against PyTorch: by place, but for rows that a TopK chose and that tie."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from controller.intake.export.answers import refuse_different
from controller.intake.jobfile.model_error import ModelError
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value

ROWS = floats(3, 20, 4)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """`box` are rows that the scores choose; `y` has nothing to do with it."""
    nodes = [
        NODE("ReduceMax", ["x"], ["s"], axes=[2], keepdims=0),
        NODE("TopK", ["s", "k"], ["v", "at"], axis=1, name="choice"),
        NODE("Gather", ["x", "at"], ["box"], axis=1),
        NODE("Neg", ["x"], ["y"]),
    ]
    outputs = [value("box", None), value("y", None)]
    onnx.save_model(model_of(nodes, [value("x", ["N", 30, 4])], outputs, k=np.int64([20])), str(tmp_path / "m.onnx"))
    return tmp_path / "m.onnx"


def held(found: Any, wanted: Any, graph: Path, name: str = "box") -> list[str]:
    notes: list[str] = []
    refuse_different({name: found}, {name: wanted}, graph=graph, forced=dict, progress=notes.append)
    return notes


def test_by_place_there_is_nothing_to_say(graph: Path) -> None:
    assert held(ROWS, ROWS.copy(), graph) == []


def test_rows_in_another_order_are_the_same_answer_where_a_node_chose_them(graph: Path) -> None:
    (note,) = held(ROWS[:, ::-1], ROWS, graph)
    assert "rows of box agree with PyTorch in another order" in note
    assert "choice" in note
    with pytest.raises(ModelError, match="the export answers differently from PyTorch in output 'y'"):
        held(ROWS[:, ::-1], ROWS, graph, "y")


@pytest.mark.parametrize("found", [ROWS + np.float32(0.3), ROWS[::-1], ROWS[:, :19]])
def test_other_rows_are_another_answer(graph: Path, found: Any) -> None:
    with pytest.raises(ModelError, match="the export answers differently from PyTorch in output 'box'") as caught:
        held(found, ROWS, graph)
    assert "choice" in caught.value.hint
    assert "load trained weights" in caught.value.hint


TIED = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.score, self.box = nn.Linear(4, 1), nn.Linear(4, 4)
        nn.init.zeros_(self.score.weight)
    def forward(self, x):
        scores, taken = torch.topk(self.score(x).squeeze(-1), 50, dim=1)
        boxes = torch.gather(self.box(x), 1, taken.unsqueeze(-1).expand(-1, -1, 4))
        return {"scores": scores.sigmoid(), "boxes": boxes if not torch.onnx.is_in_onnx_export() else boxes * FACTOR}
"""
TIED_JOB = """
model: {torch: "tied:Net", inputs: {x: {shape: [batch, 900, 4]}}}
variants: {precision: [fp32, fp16]}
"""


def test_an_untrained_detector_whose_scores_all_tie_is_exported(place: Workplace) -> None:
    place.write("tied.py", TIED.replace("FACTOR", "1"))
    prepared = place.prepare(TIED_JOB)
    assert [variant.refusal for variant in prepared.spec.variants] == ["", ""]
    assert all(variant.check.sets[0].ties for variant in prepared.spec.variants)
    assert any(line.endswith("with PyTorch's rows the export agrees") for line in place.progress)


def test_a_wrong_export_is_found_behind_scores_that_tie(place: Workplace) -> None:
    place.write("tied.py", TIED.replace("FACTOR", "1.5"))
    error = place.refused(TIED_JOB)
    assert error.message.startswith("the export answers differently from PyTorch in output 'boxes'")
