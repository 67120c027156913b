"""Lowered graphs for real: made by the tools, run by ONNX Runtime, held against FP32, cached, refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from controller.intake.graph.onnx_files import GraphFiles
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering.precision import LoweredGraph, compare, refusal
from controller.intake.prepare import PreparedJob
from controller.model.job import CheckRule, Precision, Role
from tests.intake.conftest import Workplace, linear
from tests.intake.graphs import FP16, JOB, NODE, floats, graph_of, model_of, network, network_rows, save, value


def roles(prepared: PreparedJob, precision: Precision) -> set[str]:
    variants = [item for item in prepared.spec.variants if item.precision is precision]
    return {item.role.value for variant in variants for item in variant.artifacts if "model" in item.role.value}


def signature(model: onnx.ModelProto) -> list[tuple[str, int, list[int | str]]]:
    return [
        (
            item.name,
            item.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in item.type.tensor_type.shape.dim],
        )
        for item in (*model.graph.input, *model.graph.output)
    ]


def lowerings(place: Workplace) -> list[str]:
    return [line for line in place.progress if line.startswith("lowering to")]


def test_every_variant_carries_the_graph_of_its_precision(place: Workplace) -> None:
    save(place, network(), **network_rows())
    prepared = place.prepare(JOB + "variants: {precision: [fp32, fp16, int8], batch: [1, 3]}")
    assert roles(prepared, Precision.FP32) == {"model-fp32"}
    assert roles(prepared, Precision.FP16) == {"model-fp16"}
    assert roles(prepared, Precision.INT8) == {"model-qdq"}
    checks = {variant.precision: (variant.check.rule, variant.check.min_cosine) for variant in prepared.spec.variants}
    assert checks[Precision.FP32][0] is CheckRule.CLOSE
    assert checks[Precision.FP16] == (CheckRule.COSINE, 0.999)
    assert checks[Precision.INT8] == (CheckRule.COSINE, 0.99)
    wanted = signature(network())
    for role in (Role.MODEL_FP16, Role.MODEL_QDQ):
        made = graph_of(prepared, role)
        assert [(name, kind) for name, kind, _ in signature(made)] == [(name, kind) for name, kind, _ in wanted]
        assert [shape for _, _, shape in signature(made)][:2] == [["N", 2, 6, 6], ["N"]]
        assert {node.domain for node in made.graph.node} == {""}
        assert {item.domain for item in made.opset_import} == {""}
        onnx.shape_inference.infer_shapes(made, check_type=True, strict_mode=True)
    against = [line.partition(" against the FP32 reference")[0] for line in place.progress if "FP32 reference" in line]
    assert list(dict.fromkeys(against)) == ["fp16", "int8 over fp32"]


def test_only_what_some_variant_needs_is_made(place: Workplace) -> None:
    save(place, network())
    prepared = place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp16]}")
    assert {item.role for item in prepared.spec.variants[0].artifacts} == {
        Role.MODEL_FP16,
        Role.REFERENCE_INPUT,
        Role.REFERENCE_OUTPUT,
    }
    assert lowerings(place) == ["lowering to fp16"]
    place.prepare(
        "model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16], batch: [2], exclude: [{precision: fp16}]}"
    )
    assert not any("fp16" in line for line in place.progress)


def test_weights_of_an_fp16_graph_are_halves(place: Workplace) -> None:
    save(place, network())
    made = graph_of(place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp16]}"), Role.MODEL_FP16)
    kinds = {item.name: item.data_type for item in made.graph.initializer}
    assert {kinds[name] for name in ("w1", "b1", "w2", "w3", "b3", "table")} == {TensorProto.FLOAT16}
    types = {item.name: item.type.tensor_type.elem_type for item in made.graph.value_info}
    assert {types[name] for name in ("c1", "r1", "c2", "sum")} == {TensorProto.FLOAT16}
    assert [node.op_type for node in made.graph.node].count("Cast") == 2  # the image in, the scores out


def test_nothing_is_lowered_twice(place: Workplace) -> None:
    rows = network_rows()
    save(place, network(), **rows)
    job = JOB + "variants: {precision: [fp16, int8]}"
    first = place.prepare(job)
    assert lowerings(place) == ["lowering to fp16", "lowering to int8 over fp32, calibrating with 20 rows"]
    cache = place.state / "cache" / "lowered"
    made = {path: path.stat().st_mtime_ns for path in cache.glob("*/*")}
    again = place.prepare(job)
    assert lowerings(place) == []
    assert "the int8 over fp32 graph is in the cache" in place.progress
    assert again.files.keys() == first.files.keys()
    assert {path: path.stat().st_mtime_ns for path in cache.glob("*/*")} == made

    np.savez(place.folder / "c.npz", **{**rows, "image": rows["image"] * 2})
    place.prepare(job)
    assert lowerings(place) == ["lowering to int8 over fp32, calibrating with 20 rows"]

    for path in cache.glob("*/model-*.onnx"):
        path.write_bytes(b"cut")
    place.prepare(job)
    assert len(lowerings(place)) == 2


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_an_old_opset_is_raised_where_it_must_be(place: Workplace, precision: str) -> None:
    save(place, network(opset=11), **network_rows())
    prepared = place.prepare(JOB + f"variants: {{precision: [{precision}]}}")
    made = graph_of(prepared, Role.MODEL_QDQ if precision == "int8" else Role.MODEL_FP16)
    assert made.opset_import[0].version == (13 if precision == "int8" else 11)


ROWS = {"x": floats(9, 4)}
# A channel that nothing reads is ten thousand times as large as those that matter: one scale for all loses them.
LOPSIDED = {"x": floats(9, 4) * np.float32([1e4, 1, 1, 1])}


def deaf() -> onnx.ModelProto:
    """A product that does not read the first channel."""
    weight = np.vstack([np.zeros((1, 3)), floats(3, 3)]).astype(np.float32)
    return model_of([NODE("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 3])], w=weight)


@pytest.mark.parametrize(
    ("model", "rows", "job", "where", "message", "hint"),
    [
        (
            linear(),
            {},
            "model: {onnx: m.onnx}\nvariants: {precision: [fp32, int8]}",
            "job.yaml:4:30",
            "int8 needs data to calibrate with",
            "calibration: FILE.npz",
        ),
        (
            linear(),
            ROWS,
            "model: {onnx: m.onnx, data: {evaluation: c.npz}}\nvariants: {precision: [int8]}",
            "job.yaml:4:24",
            "int8 needs data to calibrate with; evaluation data is never used for it, which would flatter the accuracy",
            "calibration: FILE.npz",
        ),
        (
            linear(),
            {},
            "model: {onnx: m.onnx}\nvariants: {precision: [tf32]}",
            "job.yaml:4:23",
            "onnxruntime has no tf32 on a CPU: it is a mode of NVIDIA's GPUs",
            "",
        ),
        (
            model_of([NODE("Relu", ["x"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 4])]),
            ROWS,
            JOB + "variants: {precision: [int8]}",
            "job.yaml:6:24",
            "the model cannot be lowered to int8: nothing in it can be quantised: no Conv, ConvTranspose, Gemm, MatMul "
            "among Relu",
            "leave int8 out of variants.precision",
        ),
        (
            deaf(),
            LOPSIDED,
            JOB + "variants: {precision: [int8], batch: [4]}",
            "job.yaml:6:24",
            "in int8, output 'y' is too far from FP32: ",
            "calibrate and compare with inputs like those",
        ),
        (
            linear(),
            ROWS,
            JOB + "check: {min_cosine: 1.0}\nvariants: {precision: [int8], batch: [4]}",
            "job.yaml:7:",
            "in ",
            "or set other bounds under check:",
        ),
    ],
)
def test_refused(
    place: Workplace, model: onnx.ModelProto, rows: dict[str, Any], job: str, where: str, message: str, hint: str
) -> None:
    save(place, model, **rows)
    error = place.refused(job)
    assert error.message.startswith(message)
    assert error.where.startswith(where)
    assert hint in error.hint


def test_one_refused_precision_does_not_stop_the_others(place: Workplace) -> None:
    save(place, deaf(), **LOPSIDED)
    prepared = place.prepare(JOB + "variants: {precision: [fp32, fp16, int8]}")
    refusals = {variant.precision: variant.refusal for variant in prepared.spec.variants}
    assert (refusals[Precision.FP32], refusals[Precision.FP16]) == ("", "")
    assert refusals[Precision.INT8].startswith("in int8, output 'y' is too far from FP32: ")
    assert "; fix: calibrate and compare with inputs like those" in refusals[Precision.INT8]
    assert not roles(prepared, Precision.INT8)


def test_check_off_submits_what_is_far_from_fp32(place: Workplace) -> None:
    save(place, deaf(), **LOPSIDED)
    prepared = place.prepare(JOB + "check: off\nvariants: {precision: [int8]}")
    assert prepared.spec.variants[0].check.rule is CheckRule.OFF
    assert any(line.startswith("int8 over fp32 against the FP32 reference: y cosine 0") for line in place.progress)


def test_int8_is_held_against_rows_that_did_not_calibrate_it(place: Workplace) -> None:
    rows = {"x": floats(40, 4)}
    save(place, linear(), **rows)
    prepared = place.prepare(JOB + "variants: {precision: [int8], runtime: [tensorrt], batch: [1, 4, 16]}")
    known = {row.tobytes() for row in rows["x"]}
    (learnt,) = {item.sha256 for item in prepared.spec.variants[0].artifacts if item.role is Role.CALIBRATION}
    learnt_rows = {row.tobytes() for row in np.load(prepared.files[learnt])}
    for batch in (1, 4, 16):
        given = place.arrays(prepared, "reference-input", batch)["x"]
        assert len(given) == batch
        assert {row.tobytes() for row in given} <= known - learnt_rows
    assert len(learnt_rows) == 27  # a third is held out, because a fifth would not fill a batch of 16


def test_int8_is_held_against_calibration_rows_whatever_values_say(place: Workplace) -> None:
    rows = {"x": floats(40, 4) * np.float32(0.001)}
    save(place, linear(), **rows)
    inputs = "  inputs: {x: {values: 'uniform[-1,1]'}}\n"
    prepared = place.prepare(JOB + inputs + "variants: {precision: [fp32, fp16, int8]}")
    assert {variant.refusal for variant in prepared.spec.variants} == {""}
    largest = {}
    for variant in prepared.spec.variants:
        (given,) = (item for item in variant.artifacts if item.role is Role.REFERENCE_INPUT)
        largest[variant.precision] = float(np.abs(np.load(prepared.files[given.sha256])).max())
    assert largest[Precision.INT8] < 0.01 < largest[Precision.FP32] == largest[Precision.FP16]
    (int8,) = (variant for variant in prepared.spec.variants if variant.precision is Precision.INT8)
    assert "x reaches 0.00" in int8.weak_calibration  # those rows are not what the job says that the model sees


@pytest.mark.parametrize(
    ("said", "operator"),
    [
        ("Inference error(s): (op_type:Add, node name: n): no", "Add"),
        ("Type parameter (T) of Optype (Concat) bound to different types", "Concat"),
        ("Fatal error: No Op registered for Perceive with domain_version of 17", "Perceive"),
        ('This is an invalid model. In Node, ("If_0", If, "", -1) : no', "If"),
        ("nothing that names one", ""),
    ],
)
def test_operators_in_the_words_of_the_tools(tmp_path: Path, said: str, operator: str) -> None:
    found = refusal(FP16, said)
    assert found.message == f"the model cannot be lowered to fp16{operator and f' at operator {operator}'}: {said}"
    assert found.steps == FP16.steps


def test_a_lowered_graph_that_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "model-fp16.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot be lowered to fp16: ONNX Runtime cannot load the model"):
        compare(GraphFiles(tmp_path, (), (), ()), LoweredGraph(path, ()), FP16, [], progress=lambda line: None)
