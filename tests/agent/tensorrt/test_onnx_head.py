"""The opset of an ONNX file, read without a library, from files that onnx wrote and from files that nobody did."""

from pathlib import Path

import onnx
import pytest
from onnx import helper

from agent.runtime.tensorrt.opset import read_opset
from jetfleet.errors import BadInput
from tests.agent.tensorrt.nets import resnet, vit


@pytest.mark.parametrize("opset", [7, 17, 24, 300])
def test_the_opset_is_the_one_that_onnx_reads(opset: int, tmp_path: Path) -> None:
    model = resnet()
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("com.acme", 1), helper.make_opsetid("", opset)])
    model.producer_name = "x" * 100_000  # stepped over
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert read_opset(path) == opset == onnx.load(path).opset_import[1].version


def test_the_domain_may_be_spelt_out_or_absent(tmp_path: Path) -> None:
    path, model = tmp_path / "model.onnx", vit()
    model.opset_import[0].domain = "ai.onnx"
    onnx.save(model, path)
    assert read_opset(path) == 17
    del model.opset_import[:]
    onnx.save(model, path)
    assert read_opset(path) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"hello, this is text", "it is not a valid ONNX file"),
        (b"\x3a\xff\xff\xff\x7f12345", "it ends in the middle"),
        (b"\x3a", "it ends in the middle"),
        (b"\x08" + b"\xff" * 11, "more than ten bytes"),
        (b"\x00\x01", "field 0"),
        (resnet().SerializeToString()[:1000], "it ends in the middle"),
    ],
)
def test_what_is_no_onnx_file_is_bad_input(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words) as refused:
        read_opset(path)
    assert refused.value.where == "model.onnx"
    assert refused.value.message.startswith("the model cannot be read")
