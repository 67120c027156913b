"""Old and unusual ONNX files: brought into one form before anything looks at them, with the same answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from controller.intake.graph.normalise import normalise
from controller.intake.jobfile.model_error import ModelError
from controller.model.job import Precision
from tests.intake.conftest import Workplace, linear
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.networks import NETWORKS, rows_for

ONNX = "model:\n  onnx: m.onnx\n"
EVERY = "variants: {precision: [fp32, fp16, int8], batch: [1, 4]}\ncheck: off\n"


def of_ir_3(model: onnx.ModelProto) -> onnx.ModelProto:
    """As files of 2018 are: every weight an input too, equal weights shared, no shapes of outputs."""
    shared: dict[tuple[int, bytes], str] = {}
    names: dict[str, str] = {}
    kept = []
    for item in model.graph.initializer:
        names[item.name] = shared.setdefault((item.data_type, numpy_helper.to_array(item).tobytes()), item.name)
        if names[item.name] == item.name:
            kept.append(item)
            model.graph.input.append(helper.make_tensor_value_info(item.name, item.data_type, list(item.dims)))
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.initializer[:]
    made.graph.initializer.extend(kept)
    for output in made.graph.output:
        output.type.tensor_type.ClearField("shape")
    made.ir_version = 3
    return made


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_ir_3_run_in_every_precision(place: Workplace, name: str) -> None:
    rows = rows_for(NETWORKS[name](), 16)
    place.model(of_ir_3(NETWORKS[name]()))
    np.savez(place.folder / "c.npz", **rows)
    prepared = place.prepare(f"model:\n  onnx: m.onnx\n  data: {{calibration: c.npz}}\n{EVERY}")
    assert {(item.precision, item.batch) for item in prepared.spec.variants} == {
        (precision, batch) for precision in (Precision.FP32, Precision.FP16, Precision.INT8) for batch in (1, 4)
    }
    for variant in prepared.spec.variants:
        assert {item.name for item in variant.inputs} == set(rows)
        graph = next(item for item in variant.artifacts if item.role.value.startswith("model"))
        session = onnxruntime.InferenceSession(str(prepared.files[graph.sha256]))
        assert {item.name for item in session.get_inputs()} == set(rows)


def identity() -> onnx.ModelProto:
    """`w` is a weight, an output, and read by a node and by the body of another."""
    then = helper.make_graph([NODE("MatMul", ["x", "w"], ["a"])], "then", [], [value("a", None)])
    other = helper.make_graph([NODE("Identity", ["x"], ["b"])], "else", [], [value("b", None)])
    nodes = [NODE("MatMul", ["x", "w"], ["p"]), NODE("If", ["yes"], ["q"], then_branch=then, else_branch=other)]
    outputs = [value("p", ["N", 4]), value("w", [4, 4]), value("q", None)]
    return model_of(nodes, [value("x", ["N", 4])], outputs, w=floats(4, 4), yes=np.array(True))


def spelled_out() -> onnx.ModelProto:
    model = linear()
    model.opset_import[0].domain = model.graph.node[0].domain = "ai.onnx"
    return model


def without_import() -> onnx.ModelProto:
    """An operator of ONNX Runtime's own domain, which the file does not import."""
    nodes = [NODE("MatMul", ["x", "w"], ["p"]), NODE("Gelu", ["p"], ["y"], domain="com.microsoft")]
    return model_of(nodes, [value("x", ["N", 4])], [value("y", None)], w=floats(4, 3))


def untyped() -> onnx.ModelProto:
    model = without_import()
    model.graph.output[0].ClearField("type")
    return model


def twice() -> onnx.ModelProto:
    model = linear()
    model.graph.initializer.append(model.graph.initializer[0])
    return model


def of_the_future() -> onnx.ModelProto:
    return linear(ir=99)


def with_an_unread_input() -> onnx.ModelProto:
    model = linear()
    model.graph.input.append(value("unread", ["N", 2]))
    return model


def sized_nothing() -> onnx.ModelProto:
    """The open dimension is written as the size 0."""
    return linear((0, 4))


def of_constants() -> onnx.ModelProto:
    """No initialiser at all, and no node has a name."""
    constant = NODE("Constant", [], ["w"], value=numpy_helper.from_array(floats(4, 3)))
    return model_of([constant, NODE("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 4])], [value("y", None)])


UNUSUAL: list[tuple[Callable[[], onnx.ModelProto], str]] = [
    (identity, "1 outputs that are initialisers"),
    (spelled_out, "the domain ai.onnx spelled as the default"),
    (without_import, "imported, for its operators: com.microsoft 1"),
    (untyped, "types of outputs, as ONNX Runtime infers them"),
    (twice, "initialisers that stood there twice"),
    (of_the_future, "IR version 99, now 11"),
    (with_an_unread_input, ""),
    (sized_nothing, "2 sizes of 0 or -1, which are open"),
    (of_constants, "outputs without a type or shape: y"),
]


@pytest.mark.parametrize(("make", "said"), UNUSUAL)
def test_unusual_files_are_lowered_like_others(
    place: Workplace, make: Callable[[], onnx.ModelProto], said: str
) -> None:
    place.model(make())
    prepared = place.prepare(f"{ONNX}variants: {{precision: [fp32, fp16], batch: [2]}}\n")
    assert said in "\n".join(line for line in place.progress if line.startswith("normalised"))
    for variant in prepared.spec.variants:
        graph = next(item for item in variant.artifacts if item.role.value.startswith("model"))
        session = onnxruntime.InferenceSession(str(prepared.files[graph.sha256]))
        found = session.run(None, place.arrays(prepared, "reference-input", 2))
        for got, want in zip(found, place.arrays(prepared, "reference-output", 2).values(), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-2, atol=1e-2)


def test_a_normal_file_stays_as_it_is() -> None:
    model = linear()
    before = model.SerializeToString()
    assert (normalise(model), model.SerializeToString()) == ([], before)


def test_two_values_under_one_name_are_refused() -> None:
    model = linear()
    model.graph.initializer.append(numpy_helper.from_array(floats(4, 3), "w"))
    with pytest.raises(ModelError, match="two initialisers are named 'w'"):
        normalise(model)


def test_an_initialiser_of_a_body_hides_that_of_the_graph() -> None:
    body = helper.make_graph(
        [NODE("Neg", ["w"], ["n"])], "b", [], [value("n", None)], [numpy_helper.from_array(floats(2), "w")]
    )
    node = NODE("If", ["yes"], ["y"], then_branch=body, else_branch=body)
    model = model_of([node], [value("x", [1])], [value("y", None), value("w", [4])], w=floats(4), yes=np.array(True))
    normalise(model)
    assert [item.name for item in model.graph.initializer] == ["w.weight", "yes"]
    assert model.graph.node[1].attribute[0].g.node[0].input == ["w"]


@pytest.mark.parametrize(("shape", "batch"), [((0,), 1), ((3, 0), 2)])
def test_an_empty_input(place: Workplace, shape: tuple[int, ...], batch: int) -> None:
    dims = ["N", *("open" if size == 0 else size for size in shape), 4]
    inputs = [value("past", dims), value("x", ["N", *shape[:-1], 1, 4])]
    model = model_of([NODE("Concat", ["past", "x"], ["y"], axis=len(shape))], inputs, [value("y", None)])
    place.model(model)
    rest = f"  inputs: {{past: {{shape: [batch, {', '.join(map(str, shape))}, 4]}}}}\nvariants: {{batch: [{batch}]}}"
    prepared = place.prepare(ONNX + rest)
    assert place.arrays(prepared, "reference-input", batch)["past"].shape == (batch, *shape, 4)
    assert place.arrays(prepared, "reference-output", batch)["y"].size > 0


def outside(folder: Path, **keys: int) -> None:
    """`m.onnx` with its weight of 48 bytes in `w.bin`, of which it says where by these keys."""
    model = linear()
    tensor = model.graph.initializer[0]
    (folder / "w.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": "w.bin", **keys}.items():
        tensor.external_data.add(key=key, value=str(text))
    (folder / "m.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("keys", [{"offset": 4}, {"length": 49}, {"offset": 40, "length": 48}])
def test_data_that_is_cut_short(place: Workplace, keys: dict[str, int]) -> None:
    outside(place.folder, **keys)
    error = place.refused(ONNX)
    assert error.message.startswith("w.bin is cut short: it has 48 bytes")
    assert error.expected
    assert error.hint


def test_a_hard_link_out_of_the_folder_is_not_followed(place: Workplace) -> None:
    (place.folder / "model").mkdir()
    outside(place.folder / "model")
    (place.folder / "model" / "w.bin").rename(place.folder / "secret")
    (place.folder / "model" / "w.bin").hardlink_to(place.folder / "secret")
    error = place.refused("model:\n  onnx: model/m.onnx\n")
    assert "is a hard link to a file that has a name outside of the model's folder" in error.message
    (place.folder / "secret").rename(place.folder / "model" / "second")
    place.prepare("model:\n  onnx: model/m.onnx\n")
