"""A parser's errors, as 8.6 and 10.x have them: 8.6 names a node by its index alone, and the rest in its log."""

from types import SimpleNamespace
from typing import Any

import pytest

from agent.runtime.base import BuildRefused
from agent.runtime.tensorrt.ability import Ability
from agent.runtime.tensorrt.log import BuilderLog
from agent.runtime.tensorrt.network import parse
from jetfleet.errors import BadInput
from tests.agent.builders import classifier
from tests.agent.tensorrt.fake import Board, FakeTensorRt, Member
from tests.agent.tensorrt.test_precision import MIDDLE, OLD

MODEL = classifier()[0]


def error(code: str, desc: str, *, node: int = -1, **named: str) -> Any:
    values = {"code": Member(code, 0), "desc": desc, "node": node, **named}
    return SimpleNamespace(**{name: lambda value=value: value for name, value in values.items()})


def run(
    errors: list[Any], tmp_path: Any, *, on: Ability = MIDDLE, said: tuple[str, ...] = (), opset: int = 17
) -> BuilderLog:
    trt, words, path = FakeTensorRt(Board(parser_errors=errors)), BuilderLog(), tmp_path / "model.onnx"
    model = type(MODEL)()
    model.CopyFrom(MODEL)
    model.opset_import[0].version = opset
    path.write_bytes(model.SerializeToString())
    for line in said:
        words.hear("ERROR", line)
    network = SimpleNamespace(num_inputs=1, num_layers=1)
    draft = SimpleNamespace(parser=trt.OnnxParser(network, None), network=network)
    parse(trt, draft, path, words, on, adjust_for_dla=False)
    return words


def test_10_names_node_and_operator(tmp_path: Any) -> None:
    found = error("UNSUPPORTED_NODE_DATATYPE", "int4 weights", node=4, node_name="fc", node_operator="Gemm")
    with pytest.raises(BuildRefused, match=r"node 4 'fc' \(Gemm\): operator Gemm is not supported as it is used here"):
        run([found], tmp_path)


def test_8_6_names_them_in_its_log(tmp_path: Any) -> None:
    said = (
        'While parsing node number 3 [NonMaxSuppressionX -> "boxes"]:',
        'input: "x"\noutput: "boxes"\nname: "nms_1"\nop_type: "NonMaxSuppressionX"\n',
    )
    found = error("UNSUPPORTED_NODE", "No importer registered for op: NonMaxSuppressionX", node=3)
    with pytest.raises(BuildRefused) as refused:
        run([found], tmp_path, on=OLD, said=said)
    assert "node 3 'nms_1' (NonMaxSuppressionX): operator NonMaxSuppressionX is not supported" in refused.value.message


def test_many_errors_are_counted_and_the_first_are_told(tmp_path: Any) -> None:
    errors = [error("INVALID_NODE", f"no {n}", node=n, node_name=f"n{n}", node_operator="Add") for n in range(5)]
    with pytest.raises(BuildRefused) as refused:
        run(errors, tmp_path)
    assert "'n2'" in refused.value.message
    assert "'n3'" not in refused.value.message
    assert refused.value.message.endswith("(and 2 more)")


def test_an_unreadable_file_is_bad_input(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match="cannot be read: Failed to parse the ONNX model"):
        run([error("MODEL_DESERIALIZE_FAILED", "Failed to parse the ONNX model.")], tmp_path)


@pytest.mark.parametrize("code", ["MEM_ALLOC_FAILED", "INTERNAL_ERROR"])
def test_no_memory_is_a_memory_error(code: str, tmp_path: Any) -> None:
    said = ("std::bad_alloc",) if code == "INTERNAL_ERROR" else ()
    with pytest.raises(MemoryError, match="parser ran out of memory"):
        run([error(code, "no memory")], tmp_path, said=said)


def test_an_opset_newer_than_documented_is_tried_with_a_warning(tmp_path: Any) -> None:
    words = run([], tmp_path, on=OLD, opset=18)
    assert words.warnings == [
        "the graph's opset 18 is too new: TensorRT 8.6.2 documents operators up to opset 17; "
        "its parser took the graph all the same"
    ]
    assert run([], tmp_path, on=OLD, opset=17).warnings == []


def test_where_it_is_refused_the_opset_is_the_hint(tmp_path: Any) -> None:
    with pytest.raises(BuildRefused) as refused:
        run([error("INVALID_NODE", "axes", node=0, node_name="r", node_operator="ReduceMean")], tmp_path, opset=21)
    assert refused.value.hint.startswith("the graph's opset 21 is too new: TensorRT 10.3.0")
