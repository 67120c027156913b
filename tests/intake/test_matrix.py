"""The matrix: every combination, less exclude, plus include."""

from pathlib import Path

import pytest

from controller.intake import matrix
from controller.intake.spec import load_text
from jetfleet.errors import BadInput

HEAD = "apiVersion: jetfleet/v1\nname: test\nmodel: {onnx: m.onnx}\nvariants: "


def keys(variants: str, *, own_batch: int = 1) -> list[str]:
    loaded = load_text(HEAD + variants, Path("job.yaml"))
    return [point.key for point in matrix.points(loaded.job.variants, loaded.document, own_batch=own_batch)]


def test_defaults() -> None:
    assert keys("{}") == ["onnxruntime-fp32-b1-cpu"]
    assert keys("{}", own_batch=4) == ["onnxruntime-fp32-b4-cpu"]
    assert keys("{runtime: [tensorrt, simulated]}") == ["tensorrt-fp32-b1-gpu", "simulated-fp32-b1-cpu"]


def test_every_combination() -> None:
    assert keys("{batch: [1, 8], placement: [cpu, gpu]}") == [
        "onnxruntime-fp32-b1-cpu",
        "onnxruntime-fp32-b1-gpu",
        "onnxruntime-fp32-b8-cpu",
        "onnxruntime-fp32-b8-gpu",
    ]


def test_exclude_takes_values_and_lists() -> None:
    assert keys(
        "{batch: [1, 8, 16], placement: [cpu, gpu], exclude: [{batch: [8, 16], placement: cpu}, {batch: 16}]}"
    ) == [
        "onnxruntime-fp32-b1-cpu",
        "onnxruntime-fp32-b1-gpu",
        "onnxruntime-fp32-b8-gpu",
    ]


def test_include_fills_in_the_axes_it_does_not_name() -> None:
    assert keys("{batch: [1], include: [{batch: 8}, {runtime: tensorrt}]}") == [
        "onnxruntime-fp32-b1-cpu",
        "onnxruntime-fp32-b8-cpu",
        "tensorrt-fp32-b1-gpu",
    ]


@pytest.mark.parametrize(
    ("variants", "where", "message"),
    [
        ("{batch: [1], exclude: [{batch: 1}]}", "4:33", "nothing is left of the matrix"),
        ("{batch: [1], include: [{batch: 1}]}", "4:34", "the variant onnxruntime-fp32-b1-cpu is asked for twice"),
        ("{runtime: [tensorrt], placement: [cpu]}", "4:44", "tensorrt on cpu is not possible"),
        ("{runtime: [tensorrt], placement: [dla0]}", "4:44", "tensorrt on dla0 is not supported yet"),
        ("{batch: [" + ", ".join(map(str, range(1, 1100))) + "]}", "4:11", "1099 variants"),
    ],
)
def test_refused(variants: str, where: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        keys(variants)
    assert (caught.value.where, caught.value.message) == (f"job.yaml:{where}", message)
