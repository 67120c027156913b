"""A sweep of an option: its values reach the variants, and go before what `options:` says."""

import pytest

from tests.intake.conftest import Workplace, linear


@pytest.mark.parametrize("said", ["", "options: {onnxruntime: {threads: 8}}"])
def test_each_variant_carries_its_value(place: Workplace, said: str) -> None:
    place.model(linear())
    prepared = place.prepare(f"model: {{onnx: m.onnx}}\nvariants: {{options: {{threads: [1, 2]}}}}\n{said}")
    assert {variant.key: variant.options for variant in prepared.spec.variants} == {
        "onnxruntime-fp32-b1-cpu-threads_1": {"threads": "1"},
        "onnxruntime-fp32-b1-cpu-threads_2": {"threads": "2"},
    }


def test_a_value_that_is_the_default_shares_its_engine_with_no_option(place: Workplace) -> None:
    place.model(linear())
    axes = "{runtime: [tensorrt], options: {sparsity: [off, on]}}"
    prepared = place.prepare(f"model: {{onnx: m.onnx}}\nvariants: {axes}")
    assert [variant.options for variant in prepared.spec.variants] == [{}, {"sparsity": "on"}]
