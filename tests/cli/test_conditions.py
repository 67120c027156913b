"""`--where FACT=VALUE`: what it means, and what it refuses."""

import pytest

from controller.cli.results import condition
from controller.model.job import Condition, Op
from jetfleet.errors import BadInput


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("sku=orin-nano-8gb", Condition("sku", Op.EQUALS, ("orin-nano-8gb",))),
        ("sku = a, b", Condition("sku", Op.IN, ("a", "b"))),
        ("jetpack>=6.1,<7", Condition("jetpack", Op.VERSION, (">=6.1,<7",))),
        ("runtime.onnxruntime==1.23.*", Condition("runtime.onnxruntime", Op.VERSION, ("==1.23.*",))),
        ("label.rack=a=b", Condition("label.rack", Op.EQUALS, ("a=b",))),
        ("simulated=true", Condition("simulated", Op.EQUALS, ("true",))),
    ],
)
def test_read(text: str, meaning: Condition) -> None:
    assert condition(text) == meaning


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("orin", "FACT=VALUE"),
        ("modul=x", "module"),
        ("sku>=3", "text, which >= cannot compare"),
        ("=x", "FACT=VALUE"),
        ("jetpack>=six", "'>=six' is not a range"),
    ],
)
def test_refused(text: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        condition(text)
    assert told in str(caught.value)
    assert caught.value.where == "--where"
