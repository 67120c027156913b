"""Names of dimensions: those that say nothing tie no two of them, and one name is one size before a device is asked."""

from pathlib import Path

import onnx
import onnxruntime
import pytest

from agent.runtime.onnxruntime.graph import optimise
from controller.intake.graph.dim_names import is_unknown
from controller.model.job import Role
from jetfleet.v1.task_pb2 import TensorSpec
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, graph_of, model_of, value

WIDE = "model:\n  onnx: m.onnx\n  inputs: {x: {shape: [batch, 3, 48, 192]}}\n"


def image(height: str, width: str, *, made: str = "") -> onnx.ModelProto:
    """y = -x, an image of which only the channels are known."""
    dims = [-1, 3, height, width]
    nodes = [NODE("Neg", ["x"], ["m"]), NODE("Neg", ["m"], ["y"])]
    model = model_of(nodes, [value("x", dims)], [value("y", [-1, 3, made or height, made or width])])
    model.graph.value_info.append(value("m", dims))
    return model


@pytest.mark.parametrize(
    "name", ["?", "", " ", "None", "none", "-1", "unk", "<unk>", "Unknown", "*", "null", "dynamic"]
)
def test_dimensions_of_an_unknown_name_may_differ(place: Workplace, tmp_path: Path, name: str) -> None:
    place.model(image(name, name))
    prepared = place.prepare(WIDE)
    (variant,) = prepared.spec.variants
    (answer,) = place.arrays(prepared, "reference-output", 1).values()
    assert answer.shape == (1, 3, 48, 192)
    graph = graph_of(prepared, Role.MODEL_FP32)
    assert b"dim_param" not in str(graph).encode(), "nothing is left for a builder to tie"
    (given,) = variant.inputs
    onnx.save(graph, str(tmp_path / "shipped.onnx"))
    spec = TensorSpec(name=given.name, dtype=given.dtype, shape=given.shape)
    optimise(tmp_path / "shipped.onnx", tmp_path / "engine", [spec], onnxruntime.SessionOptions())


@pytest.mark.parametrize("name", ["n", "H", "unk__6", "batch", "dim_1", "s77", "DynamicDimension.0", "width?"])
def test_names_that_are_names(name: str) -> None:
    assert not is_unknown(name)


def test_one_name_for_two_sizes_is_refused_at_submit(place: Workplace) -> None:
    place.model(image("n", "n"))
    error = place.refused(WIDE)
    assert error.message == "dimension 3 of input 'x' is 48, not 192"
    assert error.hint == "the graph names it 'n', as it does another one that is 48"
    assert error.exit_code == 2


def test_an_axis_may_not_part_dimensions_of_one_name(place: Workplace) -> None:
    """ONNX Runtime on the workstation would run it, and no device builds it."""
    place.model(image("n", "n"))
    job = "model:\n  onnx: m.onnx\n  inputs: {x: {shape: [batch, 3, h=48, w=48]}}\n"
    one, other = (f"dimension {index} of input 'x'" for index in (2, 3))
    told = f"the graph gives {one} and {other} one name (n), and they would be 96 and 48"
    fits, differs = place.prepare(f"{job}variants: {{dims: {{h: [48, 96]}}}}").spec.variants
    assert (fits.refusal, differs.refusal.partition(";")[0]) == ("", told)
    error = place.refused(f"{job}variants: {{dims: {{h: [96]}}}}")
    assert (error.message, error.exit_code) == (told, 2)
    both = job.replace("w=48", "h=48")
    assert [item.refusal for item in place.prepare(f"{both}variants: {{dims: {{h: [48, 96]}}}}").spec.variants] == [
        "",
        "",
    ]
