"""Inputs that nobody gave: made so that a fault can show, within what the graph admits, and named where they matter."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from controller.intake.graph.integer_uses import table_rows
from jetfleet.stand_ins import draw, words_for
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value

ONNX = "model:\n  onnx: m.onnx\n"
INT64, BOOL, UINT8 = TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8


@pytest.mark.parametrize(
    ("name", "dtype", "rows", "words"),
    [
        ("x", "float32", None, "normal"),
        ("attention_mask", "float32", None, "constant[1]"),
        ("attention_mask", "int64", 7, "constant[1]"),
        ("mask", "bool", None, "constant[1]"),
        ("pixel_mask", "int32", None, "constant[1]"),
        ("src_key_padding_mask", "bool", None, "constant[0]"),
        ("flag", "bool", None, "uniform[0,1]"),
        ("image", "uint8", None, "uniform[0,255]"),
        ("image", "int8", None, "uniform[-128,127]"),
        ("input_ids", "int64", 1000, "uniform[0,999]"),
        ("token_type_ids", "int64", 2, "uniform[0,1]"),
        ("token_type_ids", "int64", 1, "uniform[0,0]"),
        ("position_ids", "int64", 64, "arange"),
        ("lengths", "int32", None, "constant[1]"),
        ("labels", "int64", None, "uniform[0,1]"),
    ],
)
def test_by_name_type_and_table(name: str, dtype: str, rows: int | None, words: str) -> None:
    assert words_for(name, dtype, rank=2, rows=rows) == words
    array = draw(words, (3, 5), dtype, generator=np.random.default_rng(0))
    assert (array.shape, array.dtype) == ((3, 5), np.dtype(dtype))


def test_a_number_of_which_nothing_is_known_is_0() -> None:
    assert words_for("rate", "int64", rank=0) == "constant[0]"


def test_uint8_is_over_all_of_it() -> None:
    array = draw("uniform[0,255]", (64, 64), "uint8", generator=np.random.default_rng(0))
    assert (array.min(), array.max()) == (0, 255)
    assert draw("arange", (2, 3), "int64", generator=np.random.default_rng(0)).tolist() == [[0, 1, 2], [0, 1, 2]]


def language() -> onnx.ModelProto:
    """Ids, their kinds and their places to scores; a softmax over what the mask leaves."""
    nodes = [
        NODE("Gather", ["words", "input_ids"], ["w"]),
        NODE("Cast", ["kinds"], ["k32"], to=TensorProto.INT32),
        NODE("Gather", ["table", "k32"], ["k"]),
        NODE("Add", ["w", "k"], ["e"]),
        NODE("Equal", ["attention_mask", "zero"], ["hidden"]),
        NODE("Where", ["hidden", "infinite", "nothing"], ["less"]),
        NODE("Unsqueeze", ["less", "last"], ["less3"]),
        NODE("Add", ["e", "less3"], ["s"]),
        NODE("Softmax", ["s"], ["p"], axis=1),
        NODE("MatMul", ["p", "head"], ["y"]),
    ]
    names = ("input_ids", "kinds", "attention_mask")
    weights: dict[str, Any] = {"words": floats(50, 8), "table": floats(3, 8), "head": floats(8, 4)}
    weights |= {"zero": np.int64(0), "infinite": np.float32(-np.inf), "nothing": np.float32(0)}
    inputs = [value(name, ["N", 6], INT64) for name in names]
    return model_of(nodes, inputs, [value("y", ["N", 6, 4])], last=np.int64([2]), **weights)


def test_tables_that_inputs_are_indices_of() -> None:
    assert table_rows(language()) == {"input_ids": 50, "kinds": 3}
    body = helper.make_graph([NODE("Gather", ["t", "i"], ["a"], axis=1)], "b", [], [value("a", None)])
    nodes = [
        NODE("If", ["yes"], ["y"], then_branch=body, else_branch=body),
        NODE("OneHot", ["j", "depth", "pair"], ["z"]),
    ]
    inputs = [value("i", ["N"], INT64), value("j", ["N"], INT64), value("free", ["N"], INT64)]
    weights: dict[str, Any] = {"yes": np.array(True), "depth": np.int64([9]), "pair": np.float32([0, 1])}
    model = model_of(nodes, inputs, [value("y", None), value("z", None)], t=floats(4, 11), **weights)
    assert table_rows(model) == {"i": 11, "j": 9}


def test_a_model_of_language_gets_ids_and_a_mask_that_hides_nothing(place: Workplace) -> None:
    place.model(language())
    prepared = place.prepare(ONNX)
    inputs = place.arrays(prepared, "reference-input", 1)
    assert (inputs["attention_mask"] == 1).all()
    assert len(np.unique(inputs["input_ids"])) > 2
    assert inputs["kinds"].max() <= 2
    assert np.isfinite(place.arrays(prepared, "reference-output", 1)["y"]).all()
    made = "stand-in inputs: input_ids uniform[0,49], kinds uniform[0,2], attention_mask constant[1]"
    assert f"computing the reference outputs for batch 1; {made}" in place.progress


def test_a_reference_that_is_nowhere_finite_is_refused_with_its_inputs(place: Workplace) -> None:
    place.model(language())
    error = place.refused(ONNX + "  inputs: {attention_mask: {values: 'constant[0]'}}\n")
    assert error.message == "the reference cannot be used: of output 'y', no element of it is a finite number"
    assert "input_ids uniform[0,49], kinds uniform[0,2]" in error.hint
    assert error.expected


def test_values_of_the_job_come_first(place: Workplace) -> None:
    place.model(language())
    prepared = place.prepare(ONNX + "  inputs: {input_ids: {values: arange}}\n")
    assert place.arrays(prepared, "reference-input", 1)["input_ids"].tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("node", "note"),
    [
        (NODE("Mul", ["f", "zero"], ["y"]), "shows few faults: every element of it is 0"),
        (NODE("Slice", ["f", "begin", "begin"], ["y"]), "shows few faults: it is empty"),
    ],
)
def test_a_reference_that_shows_little_is_told(place: Workplace, node: onnx.NodeProto, note: str) -> None:
    nodes = [NODE("Cast", ["image"], ["f"], to=TensorProto.FLOAT), node]
    weights: dict[str, Any] = {"zero": np.float32(0), "begin": np.int64([0])}
    place.model(model_of(nodes, [value("image", ["N", 4], UINT8)], [value("y", None)], **weights))
    prepared = place.prepare(ONNX)
    assert len(np.unique(place.arrays(prepared, "reference-input", 1)["image"])) > 1
    (told,) = [line for line in place.progress if line.startswith("note:")]
    assert note in told
    assert "image uniform[0,255]" in told


def test_integers_with_which_the_model_does_not_run_are_0(place: Workplace) -> None:
    """An axis-like input: with 1 in it, the Reshape asks for another number of elements."""
    nodes = [NODE("Add", ["sizes", "own"], ["to"]), NODE("Reshape", ["x", "to"], ["y"])]
    inputs = [value("x", [1, 6]), value("sizes", [2], INT64)]
    place.model(model_of(nodes, inputs, [value("y", None)], own=np.int64([2, 3])))
    prepared = place.prepare(ONNX)
    assert place.arrays(prepared, "reference-input", 1)["sizes"].tolist() == [0, 0]


def noisy(node: onnx.NodeProto, **weights: Any) -> onnx.ModelProto:
    return model_of([node, NODE("Add", ["x", "n"], ["y"])], [value("x", ["N", 8])], [value("y", ["N", 8])], **weights)


RANDOM = {
    "node 'noise' (RandomNormalLike)": noisy(NODE("RandomNormalLike", ["x"], ["n"], name="noise")),
    "node 'n' (RandomUniform)": noisy(NODE("RandomUniform", [], ["n"], shape=[1, 8], seed=3.0)),
    "node 'n' (Dropout)": noisy(
        NODE("Dropout", ["x", "ratio", "training"], ["n"]), ratio=np.float32(0.5), training=np.array(True)
    ),
}


@pytest.mark.parametrize("node", RANDOM)
def test_a_random_model_is_found_at_submit(place: Workplace, node: str) -> None:
    place.model(RANDOM[node])
    error = place.refused(ONNX)
    assert error.message == (
        f"the model answers differently each time: two runs differ in output 'y'; {node} is random"
    )
    assert (error.expected, error.hint) != ("", "")


def test_a_batch_size_that_is_written_into_the_model(place: Workplace) -> None:
    nodes = [NODE("Reshape", ["x", "flat"], ["r"], name="/head/Reshape"), NODE("Relu", ["r"], ["y"])]
    place.model(model_of(nodes, [value("x", ["N", 2, 3])], [value("y", None)], flat=np.int64([1, 6])))
    one, eight = place.prepare(ONNX + "variants: {batch: [1, 8]}\n").spec.variants
    assert one.refusal == ""
    assert eight.refusal.startswith("the model runs with batch 1 and not with batch 8: ")
    assert "operator Reshape '/head/Reshape'" in eight.refusal
    assert "Input shape:{8,2,3}, requested shape:{1,6}" in eight.refusal
    assert "; expected batch: [1]; fix: " in eight.refusal
    error = place.refused(ONNX + "variants: {batch: [8]}\n")
    assert eight.refusal.startswith(error.message)
    assert (error.where, error.expected) == ("job.yaml:5:20", "batch: [1]")


def test_ranges_are_learnt_at_a_size_that_the_model_runs_with(place: Workplace) -> None:
    nodes = [NODE("Reshape", ["x", "flat"], ["r"]), NODE("MatMul", ["r", "w"], ["y"])]
    model = model_of(nodes, [value("x", ["N", 2, 3])], [value("y", None)], flat=np.int64([1, 6]), w=floats(6, 4))
    place.model(model)
    np.savez(place.folder / "c.npz", x=floats(40, 2, 3))
    job = "model: {onnx: m.onnx, data: {calibration: c.npz}}\nvariants: {precision: [fp32, int8], batch: [1, 8]}\n"
    refused = {(item.precision.value, item.batch): bool(item.refusal) for item in place.prepare(job).spec.variants}
    assert refused == {("fp32", 1): False, ("int8", 1): False, ("fp32", 8): True, ("int8", 8): True}


def test_a_size_of_a_named_dimension_that_the_model_refuses_does_not_stop_the_others(place: Workplace) -> None:
    table = NODE("Slice", ["table", "start", "length", "axis"], ["part"])
    nodes = [
        NODE("Shape", ["x"], ["s"], start=1, end=2),
        NODE("Identity", ["s"], ["length"]),
        table,
        NODE("Add", ["x", "part"], ["y"]),
    ]
    weights = {"table": floats(1, 16), "start": np.int64([0]), "axis": np.int64([1])}
    place.model(model_of(nodes, [value("x", ["N", "L"])], [value("y", ["N", "L"])], **weights))
    given = "model: {onnx: m.onnx, inputs: {x: {shape: [batch, seq=8]}}}\nvariants: {dims: {seq: [8, 16, 32]}}\n"
    variants = place.prepare(given).spec.variants
    assert [bool(item.refusal) for item in variants] == [False, False, True]
    assert variants[2].refusal.startswith("the model does not run with batch 1, seq=32: ")


def test_a_refused_row_names_the_inputs_that_nobody_gave(place: Workplace) -> None:
    place.model(
        model_of([NODE("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 8])], [value("y", ["N", 5])], w=floats(8, 5))
    )
    job = "variants: {precision: [fp32, fp16]}\ncheck: {rule: close, rtol: 0, atol: 0}\n"
    refusals = [variant.refusal for variant in place.prepare(ONNX + job).spec.variants]
    assert refusals[0] == ""
    assert refusals[1].endswith("; inputs that nobody gave: x normal")


def sampled(*, rate: bool = True, threshold: bool = False) -> onnx.ModelProto:
    """A kernel whose width is an input's value: nothing runs with a width of 0."""
    nodes = [
        NODE("Reshape", ["rate", "one"], ["r"], name="flatten"),
        NODE("Concat", ["minus", "r"], ["shape"], axis=0),
        NODE("Reshape", ["x", "shape"], ["y"], name="/frame/Reshape", allowzero=1),
    ]
    inputs = [value("x", ["N", 8]), value("rate", [], INT64), value("other", [], INT64)]
    weights = {"one": np.int64([1]), "minus": np.int64([-1])}
    nodes.append(NODE("Identity", ["other"], ["same"]))
    return model_of(nodes, inputs, [value("y", None), value("same", [], INT64)], **weights)


def test_an_operator_that_fails_on_a_stand_in_names_it_and_how_to_give_it(place: Workplace) -> None:
    place.model(sampled())
    error = place.refused(ONNX)
    assert "operator Reshape '/frame/Reshape'" in error.message
    assert error.message.endswith("; stand-in inputs that may be the cause, because nobody gave them: rate constant[0]")
    assert "inputs: {rate: {values: 'constant[NUMBER]'}}" in error.hint
    job = ONNX + "  inputs: {rate: {values: 'constant[4]'}}\n"
    assert place.prepare(job).spec.variants[0].refusal == ""


def test_what_is_given_is_not_blamed(place: Workplace) -> None:
    place.model(sampled())
    error = place.refused(ONNX + "  inputs: {rate: {values: 'constant[0]'}}\n")
    assert "rate constant" not in error.message


def test_a_stand_in_that_a_body_reads_is_named(place: Workplace) -> None:
    body = helper.make_graph(
        [NODE("Slice", ["table", "start", "rows"], ["part"]), NODE("MatMul", ["x", "part"], ["o"], name="/in/MatMul")],
        "then",
        [],
        [value("o", None)],
    )
    other = helper.make_graph([NODE("Neg", ["x"], ["o"])], "else", [], [value("o", None)])
    nodes = [
        NODE("Unsqueeze", ["count", "zero"], ["rows"]),
        NODE("If", ["yes"], ["y"], then_branch=body, else_branch=other),
    ]
    weights = {"zero": np.int64([0]), "start": np.int64([0]), "yes": np.array(True), "table": floats(8, 3)}
    place.model(model_of(nodes, [value("x", ["N", 8]), value("count", [], INT64)], [value("y", None)], **weights))
    assert "nobody gave them: count constant[0]" in place.refused(ONNX).message


def test_a_module_that_fails_on_a_stand_in_names_it(place: Workplace) -> None:
    pytest.importorskip("torch")
    place.write(
        "net.py",
        "import torch\n\n\nclass Net(torch.nn.Module):\n    def forward(self, x, rate):\n"
        "        if int(rate) not in (8000, 16000):\n            raise ValueError('a rate of 8000 or 16000')\n"
        "        return x * 2\n\n\ndef build():\n    return Net()\n",
    )
    error = place.refused(
        "model: {torch: 'net:build', inputs: {x: {shape: [batch, 8]}, rate: {shape: [], dtype: int64}}}\n"
    )
    assert "a rate of 8000 or 16000" in error.message
    assert "nobody gave them: rate constant[0]" in error.message
    assert error.where.endswith("net.py:7")


def test_a_refused_row_of_a_module_names_the_users_line(place: Workplace) -> None:
    pytest.importorskip("torch")
    place.write(
        "net.py",
        "import torch\n\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        if not torch.compiler.is_compiling() and x.shape[0] == 5:\n"
        "            raise ValueError('five')\n        return x * 2\n\n\ndef build():\n    return Net()\n",
    )
    job = "model: {torch: 'net:build', inputs: {x: {shape: [batch, 8]}}}\nvariants: {batch: [1, 5]}\n"
    one, five = place.prepare(job).spec.variants
    assert one.refusal == ""
    assert five.refusal.startswith("the model runs with batch 1 and not with batch 5: ")
    assert "net.py:7)" in five.refusal
