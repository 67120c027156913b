"""Scores that tie, as those of a network without trained weights: which rows a TopK takes is arbitrary, not what is in
them.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from controller.intake.graph.forced_choice import forced_trials
from controller.intake.graph.onnx_files import lay_out
from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.tied_choices import tied_choices
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering import precision
from controller.intake.lowering.precision import LoweredGraph
from controller.model.job import OutputSet, Precision
from tests.intake.conftest import Workplace
from tests.intake.graphs import FP16, NODE, floats, model_of, value

ANCHORS, KEPT = 3000, 200
JOB = "model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16]}"
NAMES = ("scores", "boxes", "labels", "mixed")


def tied_detector(*, offset: float = 0, apart: float = 1e-4) -> onnx.ModelProto:
    """The best of all boxes by scores whose weights differ by less than half holds, and what is made of them."""
    nodes = [
        NODE("MatMul", ["x", "to_scores"], ["all_scores"]),
        NODE("TopK", ["all_scores", "k"], ["scores", "best"], axis=1, name="choice"),
        NODE("Gather", ["table", "best"], ["boxes"], axis=0),
        NODE("Cast", ["best"], ["labels"], to=TensorProto.INT64),
        NODE("MatMul", ["boxes", "decoder"], ["decoded"]),
        NODE("Softmax", ["decoded"], ["weights"], axis=1),
        NODE("Mul", ["weights", "decoded"], ["mixed"]),
    ]
    return model_of(
        nodes,
        [value("x", ["N", 16])],
        [
            value("scores", ["N", KEPT]),
            value("boxes", ["N", KEPT, 4]),
            value("labels", ["N", KEPT], TensorProto.INT64),
            value("mixed", ["N", KEPT, 4]),
        ],
        to_scores=floats(16, 1) + np.float32(apart) * floats(16, ANCHORS),
        k=np.array([KEPT]),
        table=np.float32(offset) + floats(ANCHORS, 4),
        decoder=floats(4, 4),
    )


def test_rows_of_tied_scores_agree_when_both_take_the_same(place: Workplace) -> None:
    place.model(tied_detector())
    prepared = place.prepare(JOB)
    assert [variant.refusal for variant in prepared.spec.variants] == ["", ""]
    fp16 = next(item for item in prepared.spec.variants if item.precision is Precision.FP16)
    assert fp16.check.sets == (OutputSet(NAMES, 0.95, ties=True),)
    fp32 = next(item for item in prepared.spec.variants if item.precision is Precision.FP32)
    assert fp32.check.sets == (OutputSet(NAMES, 1.0, ties=False),)  # its scores do not tie: a wrong row is a fault
    said = f"fp16: scores tie where TopK 'choice' chooses {', '.join(NAMES)}: the rows of FP32's choice agree"
    assert said in place.progress


def test_outputs_of_other_rows_are_sets_of_their_own(place: Workplace) -> None:
    """A decoder's layers, (N, layers, rows, 4): no set with rows of (N, rows)."""
    model = tied_detector()
    model.graph.node.append(NODE("Unsqueeze", ["boxes", "axis"], ["layer"]))
    model.graph.node.append(NODE("Concat", ["layer", "layer"], ["layers"], axis=1))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "axis"))
    model.graph.output.append(value("layers", ["N", 2, KEPT, 4]))
    place.model(model)
    prepared = place.prepare(JOB)
    assert [variant.refusal for variant in prepared.spec.variants] == ["", ""]
    fp16 = next(item for item in prepared.spec.variants if item.precision is Precision.FP16)
    assert fp16.check.sets == (OutputSet(NAMES, 0.95, ties=True), OutputSet(("layers",), 0.95, ties=True))


def test_a_table_that_half_rounds_away_is_found_behind_a_tie(place: Workplace) -> None:
    place.model(tied_detector(offset=20000))
    prepared = place.prepare(JOB)
    fp16 = next(item for item in prepared.spec.variants if item.precision is Precision.FP16)
    assert "in fp16, output " in fp16.refusal


@pytest.mark.parametrize(
    ("weight", "plant"),
    [
        ("table", lambda array: array * np.float32(1.5)),
        ("table", lambda array: array[:, ::-1]),
        ("table", lambda array: np.where(np.arange(4) == 2, 0, array)),
        ("decoder", lambda array: -array),
    ],
)
def test_a_fault_that_is_planted_is_found_behind_a_tie(tmp_path: Path, weight: str, plant: object) -> None:
    model = tied_detector()
    onnx.save_model(model, str(tmp_path / "m.onnx"))
    (tmp_path / "laid").mkdir()
    source = lay_out(tmp_path / "m.onnx", tmp_path / "laid")
    inputs = {"x": floats(2, 16)}
    references = [(inputs, ReferenceSession(source.path).run(inputs))]

    def compare(planted: bool) -> tuple[OutputSet, ...]:
        other = onnx.ModelProto.FromString(model.SerializeToString())
        # Another order of near ties, as half precision makes it.
        for item in other.graph.initializer:
            array = numpy_helper.to_array(item)
            if item.name == "to_scores":
                item.CopyFrom(numpy_helper.from_array(array.astype(np.float16).astype(np.float32), item.name))
            if planted and item.name == weight:
                item.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(plant(array), np.float32), item.name))
        path = tmp_path / "lowered.onnx"
        onnx.save_model(other, str(path))
        return precision.compare(source, LoweredGraph(path, ()), FP16, references, progress=lambda line: None)

    assert compare(planted=False) == (OutputSet(NAMES, 0.95, ties=True),)
    with pytest.raises(ModelError):
        compare(planted=True)


def test_graphs_that_choose_otherwise_are_not_forced(tmp_path: Path) -> None:
    onnx.save_model(tied_detector(), str(tmp_path / "a.onnx"))
    plain = model_of([NODE("Relu", ["x"], ["y"])], [value("x", ["N", 16])], [value("y", ["N", 16])])
    onnx.save_model(plain, str(tmp_path / "b.onnx"))
    assert forced_trials(tmp_path / "a.onnx", tmp_path / "b.onnx", [{"x": floats(1, 16)}]) == []
    assert forced_trials(tmp_path / "b.onnx", tmp_path / "b.onnx", [{"x": floats(1, 16)}]) == []


def test_ties_in_fp32_are_said_though_both_sides_break_them_alike(place: Workplace) -> None:
    """ONNX Runtime takes the first of equal scores, TensorRT any."""
    place.model(tied_detector(apart=0))
    prepared = place.prepare(JOB)
    assert [item.check.sets for item in prepared.spec.variants] == [
        (OutputSet(NAMES, 1.0, ties=True),),
        (OutputSet(NAMES, 0.95, ties=True),),
    ]
    assert any(line.startswith("note: scores tie at the last place where TopK 'choice'") for line in place.progress)
    said = place.prepare(f"{JOB}\ncheck: {{outputs: {{boxes: {{rule: cosine}}}}}}")
    assert [item.check.sets for item in said.spec.variants] == [(), ()]


def test_scores_that_are_apart_do_not_tie(place: Workplace) -> None:
    model = place.model(tied_detector(apart=1))
    assert tied_choices(model, {"x": floats(2, 16)}) == {}
    assert tied_choices(place.model(tied_detector(apart=0)), {"x": floats(2, 16)}) == {"TopK 'choice'": NAMES}
    plain = model_of([NODE("Relu", ["x"], ["y"])], [value("x", ["N", 16])], [value("y", ["N", 16])])
    assert tied_choices(place.model(plain), {"x": floats(2, 16)}) == {}


def turned_detector() -> onnx.ModelProto:
    """Boxes as [samples, 4, rows], and the count of rows beside them."""
    model = tied_detector()
    nodes = [
        NODE("Transpose", ["boxes"], ["turned"], perm=[0, 2, 1]),
        NODE("Shape", ["boxes"], ["kept"], start=1, end=2),
        NODE("Expand", ["kept", "one"], ["count"]),
    ]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1]), "one"))
    outputs = {item.name: item for item in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend([outputs["scores"], value("turned", ["N", 4, KEPT]), outputs["labels"]])
    model.graph.output.append(value("count", [1, 1], TensorProto.INT64))
    return model


def test_rows_on_the_last_axis_and_counts_beside_them_are_no_fault(place: Workplace) -> None:
    place.model(turned_detector())
    prepared = place.prepare(JOB)
    assert [variant.refusal for variant in prepared.spec.variants] == ["", ""]
    fp16 = next(item for item in prepared.spec.variants if item.precision is Precision.FP16)
    assert fp16.check.sets == (OutputSet(("scores", "turned", "labels"), 0.95, ties=True),)
