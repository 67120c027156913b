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


def test_a_device_is_named_with_what_its_probes_were() -> None:
    found = Divergence((OUTPUT,), FIRST, (BEFORE,), compared=3, tensors=4)
    item = Bisection("v", found, device="orin-1", jobs=(5, 6, 7), vanished=("a",))
    first, *_, probes, vanished = bisection_lines([item])
    assert first == "v on orin-1: output y leaves FP32 first at Mul 'grows'"
    assert "seen in 3 jobs, 5 to 7" in probes
    assert "with a as an output" in vanished
    (record,) = bisection_records([item])
    assert (record["device"], record["jobs"], record["vanished"]) == ("orin-1", [5, 6, 7], ["a"])
    itself = LayerJudgement("y", "", "", False, 0.1, 3.0, "cosine 0.1")
    (line, *_) = bisection_lines([Bisection("v", Divergence((OUTPUT,), itself), device="orin-1", jobs=(5,))])
    assert line.endswith("leaves FP32 first at the output 'y' itself")
    (line,) = bisection_lines([Bisection("v", Divergence((BEFORE,)), device="orin-1", jobs=(5,))])
    assert line == "v on orin-1: every output agrees with FP32 there"


def test_what_was_not_looked_at_says_why() -> None:
    assert list(bisection_lines([Bisection("v", reason="it was refused")])) == ["v: it was refused"]
    (record,) = bisection_records([Bisection("v", reason="it was refused")])
    assert (record["first"], record["reason"]) == (None, "it was refused")


def test_agreement_says_what_it_does_not_vouch_for() -> None:
    (line,) = bisection_lines([Bisection("v", Divergence((BEFORE,)))])
    assert "every output agrees with FP32 on this workstation" in line
