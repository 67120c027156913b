"""Where a graph leaves FP32, for people and as data."""

from controller.model.divergence import Bisection, Divergence, LayerJudgement
from controller.record.bisection import bisection_records
from controller.report.text.bisection import bisection_lines

FIRST = LayerJudgement("b", "grows", "Mul", False, None, None, "inf", reason="32 of 32 values are not finite")
BEFORE = LayerJudgement("a", "", "MatMul", True, 0.9999, 0.01, "cosine 0.9999")
OUTPUT = LayerJudgement("y", "last", "MatMul", False, 0.1, 3.0, "cosine 0.1")


def test_the_first_layer_is_named_with_why_and_what_came_before() -> None:
    found = Divergence((OUTPUT,), FIRST, (BEFORE,), compared=2, tensors=4)
    assert list(bisection_lines([Bisection("v", found)])) == [
        "v: output y leaves FP32 first at Mul 'grows'",
        "it makes b: inf",
        "why: 32 of 32 values are not finite",
        "before it, the MatMul that makes 'a' still agreed, cosine 0.999900",
        "2 of 4 tensors that lead there were compared",
    ]
    (record,) = bisection_records([Bisection("v", found)])
    assert record["first"]["layer"] == "grows"
    assert [layer["tensor"] for layer in record["outputs"]] == ["y"]


def test_what_was_not_looked_at_says_why() -> None:
    assert list(bisection_lines([Bisection("v", reason="it was refused")])) == ["v: it was refused"]
    (record,) = bisection_records([Bisection("v", reason="it was refused")])
    assert (record["first"], record["reason"]) == (None, "it was refused")


def test_agreement_says_what_it_does_not_vouch_for() -> None:
    (line,) = bisection_lines([Bisection("v", Divergence((BEFORE,)))])
    assert "every output agrees with FP32 on this workstation" in line
