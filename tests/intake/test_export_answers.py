"""An export held against PyTorch: by place, but for rows that a TopK chose and that tie."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from controller.intake.export.answers import refuse_different
from controller.intake.jobfile.model_error import ModelError
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
    refuse_different({name: found}, {name: wanted}, graph=graph, progress=notes.append)
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
