"""Small models and job files for every test of the intake."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from controller.intake.prepare import PreparedJob, prepare
from jetfleet.errors import BadInput

Graph = Callable[..., onnx.ModelProto]


def linear(
    shape: Sequence[int | str | None] = ("N", 4), *, opset: int = 17, weights_as_inputs: bool = False, ir: int = 8
) -> onnx.ModelProto:
    """y = x @ w, with w [4, 3]."""
    weight = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3), "w")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))]
    if weights_as_inputs:
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [*shape[:-1], 3])
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "linear", inputs, [output], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


class Workplace:
    """A folder with job files, and what preparing them does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.progress: list[str] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def model(self, model: onnx.ModelProto, name: str = "m.onnx", **options: Any) -> Path:
        onnx.save_model(model, str(self.folder / name), **options)
        return self.folder / name

    def job(self, rest: str) -> Path:
        return self.write("job.yaml", f"apiVersion: jetfleet/v1\nname: test\n{rest}")

    def prepare(self, rest: str, *, timeout_s: float = 60) -> PreparedJob:
        self.progress.clear()
        return prepare(self.job(rest), state_dir=self.state, progress=self.progress.append, timeout_s=timeout_s)

    def refused(self, rest: str) -> BadInput:
        with pytest.raises(BadInput) as caught:
            self.prepare(rest)
        caught.value.where = caught.value.where.replace(f"{self.folder}/", "")
        return caught.value

    def arrays(self, prepared: PreparedJob, role: str, batch: int) -> dict[str, np.ndarray[Any, Any]]:
        variant = next(item for item in prepared.spec.variants if item.batch == batch)
        chosen = [item for item in variant.artifacts if item.role.value == role]
        return {item.name: np.load(prepared.files[item.sha256], allow_pickle=False) for item in chosen}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture(autouse=True)
def the_same_numbers_in_any_order_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and rows are drawn by each test: whichever ran before must not decide whether two scores nearly tie."""
    from tests.intake import graphs

    monkeypatch.setattr(graphs, "RANDOM", np.random.default_rng(0))
