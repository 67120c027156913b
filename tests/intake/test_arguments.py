"""Keyword arguments become the job that job.yaml would describe, and their mistakes are placed by name."""

from pathlib import Path
from typing import Any

import pytest

from controller.intake.jobfile.arguments import document_of
from controller.intake.jobfile.spec import load_document, load_text
from controller.model.job import Precision
from jetfleet.errors import BadInput

HERE = Path("submit()")


def load(**arguments: Any) -> Any:
    return load_document(HERE, document_of({"model": "nets/m.onnx", **arguments}))


def test_arguments_say_what_a_job_file_says() -> None:
    typed = load(
        name="mine",
        inputs={"x": ["batch", "seq=128"], "mask": {"shape": ["batch"], "dtype": "bool", "values": "constant[1]"}},
        precision=["fp32", Precision.FP16],
        batch=(1, 8),
        runtime="onnxruntime",
        placement=None,
        targets={"every": {"sku": "orin-nano-8gb"}},
        data={"evaluation": Path("eval.npz")},
        measure={"seconds": 2.0},
        options={"onnxruntime": {"threads": 2}},
    )
    written = load_text(
        "apiVersion: jetfleet/v1\nname: mine\n"
        "model:\n  onnx: nets/m.onnx\n  data: {evaluation: eval.npz}\n"
        "  inputs: {x: {shape: [batch, seq=128]}, mask: {shape: [batch], dtype: bool, values: 'constant[1]'}}\n"
        "variants: {precision: [fp32, fp16], batch: [1, 8], runtime: [onnxruntime]}\n"
        "targets: [{every: {sku: orin-nano-8gb}}]\nmeasure: {seconds: 2}\noptions: {onnxruntime: {threads: 2}}\n",
        HERE,
    )
    assert typed.job == written.job
    assert typed.targets == written.targets
    # What is kept as the job's source is a job file.
    assert load_text(typed.document.text, HERE).job == written.job


@pytest.mark.parametrize(("model", "name"), [("a b/größe 1.onnx", "gr-e-1"), ("net:make", "make"), ("._.onnx", "job")])
def test_a_job_is_named_like_its_model(model: str, name: str) -> None:
    assert load(model=model, inputs={"x": [1]}).job.name == name


@pytest.mark.parametrize("text", ["no", "0o14", "1e3", "012", "a: b", "x #y", '"', "\\", "null", "é\n\t"])
def test_any_text_stays_the_text_it_is(text: str) -> None:
    assert load(model=f"{text}.onnx", name="a").job.model.onnx == f"{text}.onnx"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"precision": ["fp32", "fp61"]}, "submit(precision[1])"),
        ({"batch": [0]}, "submit(batch[0])"),
        ({"inputs": {"x": {"shap": [1]}}}, "submit(inputs.x.shap)"),
        ({"data": {"evaluations": "a"}}, "submit(data.evaluations)"),
        ({"measure": {"seconds": -1}}, "submit(measure.seconds)"),
        ({"targets": {"every": {}, "any": {}}}, "submit(targets[0])"),
        ({"args": {"depth": 3}}, "submit(model)"),
        ({"name": "no spaces"}, "submit(name)"),
        ({"options": {"onnxruntime": {"thread": 1}}}, "submit(options.onnxruntime.thread)"),
        ({"args": {"f": print}}, "submit()"),
    ],
)
def test_a_mistake_is_placed_by_its_argument(arguments: dict[str, Any], where: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(**arguments)
    assert caught.value.where == where
