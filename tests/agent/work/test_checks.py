"""Outputs against references: every rule, and every way to be wrong."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.runtime.arrays import Tensor
from agent.work.checks import check_flags, check_outputs, rule_for
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_UNCHECKED,
    FLAG_KIND_WRONG_OUTPUT,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    OutputCheck,
    TensorCheck,
)
from tests.agent.builders import CLOSE

COSINE = OutputCheck(rule=OutputCheck.RULE_COSINE, min_cosine=0.99)
OFF = OutputCheck(rule=OutputCheck.RULE_OFF)


def check(got: Any, want: Any, rule: OutputCheck = CLOSE) -> TensorCheck:
    (found,) = check_outputs({"y": np.asarray(got)}, {"y": np.asarray(want)}, rule)
    return found


def floats(*values: float) -> Tensor:
    return np.array([values], dtype=np.float32)


def test_equal_outputs_pass_and_have_no_snr() -> None:
    found = check(floats(1, 2, 3), floats(1, 2, 3))
    assert found.passed
    assert (found.max_abs, found.max_rel, found.top1_agreement) == (0, 0, 1)
    assert found.cosine == pytest.approx(1)
    assert not found.HasField("snr_db")


def test_integers_are_compared_by_value_whatever_their_width() -> None:
    """TensorRT 8.x makes int32 of a graph's int64."""
    assert check(np.array([1, 2], np.int32), np.array([1, 2], np.int64)).passed
    assert not check(np.array([1, 3], np.int32), np.array([1, 2], np.int64)).passed
    for other in (np.array([1, 2], np.float32), np.array([True, True])):
        assert "want int64[2]" in check(other, np.array([1, 2], np.int64)).detail


def test_close_is_bounded_by_both_tolerances_and_names_the_place() -> None:
    assert check(floats(1.001, 100.05), floats(1, 100)).passed
    found = check(floats(1.0, 101.0), floats(1, 100))
    assert not found.passed
    assert "at [0, 1]: got 101, want 100" in found.detail
    assert found.max_abs == pytest.approx(1)
    assert found.max_rel == pytest.approx(0.01)
    assert found.snr_db == pytest.approx(10 * np.log10(10_001), rel=1e-3)


def test_cosine_looks_at_length_and_direction() -> None:
    assert check(floats(1.01, 2.02, 3.03), floats(1, 2, 3), COSINE).passed
    assert not check(floats(2, 4, 6), floats(1, 2, 3), COSINE).passed
    found = check(floats(3, 2, 1), floats(1, 2, 3), COSINE)
    assert not found.passed
    assert "0.714" in found.detail


def test_zeros_are_alike_only_with_zeros() -> None:
    assert check(floats(0, 0), floats(0, 0), COSINE).passed
    assert not check(floats(0, 1), floats(0, 0), COSINE).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rule", [CLOSE, COSINE])
def test_what_is_not_finite_fails_where_the_reference_is(bad: float, rule: OutputCheck) -> None:
    found = check(floats(1, bad), floats(1, 1), rule)
    assert not found.passed
    assert "not finite" in found.detail


@pytest.mark.parametrize("rule", [CLOSE, COSINE])
def test_what_is_not_finite_passes_where_the_reference_agrees(rule: OutputCheck) -> None:
    strange = floats(1, np.nan, np.inf, -np.inf)
    assert check(strange, strange, rule).passed
    assert not check(floats(1, np.nan, np.inf, np.inf), strange, rule).passed
    assert not check(floats(1, 2, np.inf, -np.inf), strange, rule).passed


@pytest.mark.parametrize(
    "got", [np.zeros((1, 3), np.float32), np.zeros((2, 1), np.float32), np.zeros((1, 2), np.float64)]
)
def test_another_shape_or_type_fails_with_both_named(got: Tensor) -> None:
    found = check(got, floats(0, 0))
    assert not found.passed
    assert "want float32[1, 2]" in found.detail


def test_a_missing_output_fails() -> None:
    (found,) = check_outputs({}, {"y": floats(1)}, CLOSE)
    assert not found.passed


def test_integers_are_held_by_their_share() -> None:
    want = np.arange(10)
    got = np.where(want == 3, 0, want)
    assert not check(got, want).passed  # no share given: all of them
    lenient = OutputCheck(rule=OutputCheck.RULE_COSINE, min_agreement=0.9)
    found = check(got, want, lenient)
    assert found.passed
    assert found.equal_share == 0.9
    assert not found.HasField("cosine")


def test_top1_is_only_for_what_looks_like_a_classifier() -> None:
    want = np.array([[1.0, 2.0], [4.0, 3.0]], dtype=np.float32)
    assert check(want[:, ::-1], want).top1_agreement == 0
    assert not check(want[:, :1], want[:, :1]).HasField("top1_agreement")
    assert not check(want[0], want[0]).HasField("top1_agreement")


def test_a_reference_that_is_no_tensor_of_numbers_is_refused() -> None:
    with pytest.raises(BadInput):
        check(np.array(["a"]), np.array(["a"]))


def test_flags() -> None:
    assert not check_flags([check(floats(1), floats(1))], CLOSE)
    (wrong,) = check_flags([check(floats(1), floats(1)), check(floats(2), floats(1))], CLOSE)
    assert wrong.kind == FLAG_KIND_WRONG_OUTPUT
    assert "got 2, want 1" in wrong.evidence
    assert [flag.kind for flag in check_flags([], CLOSE)] == [FLAG_KIND_UNCHECKED]
    assert [flag.kind for flag in check_flags([], OFF)] == [FLAG_KIND_UNCHECKED]


def test_the_rule_follows_the_precision_unless_the_task_has_one() -> None:
    nothing = OutputCheck()
    assert rule_for(nothing, PRECISION_FP32).rtol == 1e-3
    assert rule_for(nothing, PRECISION_FP16).min_cosine == 0.999
    assert rule_for(nothing, PRECISION_INT8).min_cosine == 0.99
    assert rule_for(OFF, PRECISION_INT8) is OFF


@given(hnp.arrays(np.float32, hnp.array_shapes(), elements=st.floats(-1e6, 1e6, width=32)), st.floats(0.01, 10))
def test_close_agrees_with_numpy(want: Tensor, scale: float) -> None:
    got = (want * np.float32(scale)).astype(np.float32)
    assert check(got, want).passed == np.allclose(got.astype(float), want.astype(float), rtol=1e-3, atol=1e-4)


def test_a_lost_row_is_told_beside_the_verdict() -> None:
    want = np.random.default_rng(0).uniform(1, 2, (1, 8, 64)).astype(np.float32)
    want[:, :4] *= 500
    got = want.copy()
    got[:, 6] *= 0.1
    found = check(got, want, COSINE)
    assert not found.passed
    assert found.cosine > 0.9999
    assert found.worst_slice == "index 6 of axis 1"
    assert found.worst_slice_norm_ratio == pytest.approx(0.1)
    assert "index 6 of axis 1" in check_flags([found], COSINE)[0].evidence


def test_an_output_may_have_a_rule_of_its_own() -> None:
    got, want = {"a": floats(1, 2), "b": floats(5, 5)}, {"a": floats(1, 2), "b": floats(1, 9)}
    rule = OutputCheck(rule=OutputCheck.RULE_CLOSE, rtol=1e-3)
    assert [item.passed for item in check_outputs(got, want, rule)] == [True, False]
    rule.outputs["b"].CopyFrom(OutputCheck(rule=OutputCheck.RULE_COSINE, min_cosine=-1, max_norm_error=1))
    assert [item.passed for item in check_outputs(got, want, rule)] == [True, True]
    rule.outputs["b"].rule = OutputCheck.RULE_OFF
    assert [item.tensor for item in check_outputs(got, want, rule)] == ["a"]


def test_outputs_of_one_set_are_matched_together() -> None:
    random = np.random.default_rng(0)
    want = {"boxes": random.uniform(0, 640, (1, 50, 4)).astype(np.float32), "classes": np.arange(50)[None]}
    order = random.permutation(50)
    got = {"boxes": want["boxes"][:, order], "classes": want["classes"][:, order]}
    rule = OutputCheck(rule=OutputCheck.RULE_COSINE, min_cosine=0.999)
    assert not any(item.passed for item in check_outputs(got, want, rule))
    rule.sets.add(outputs=["boxes", "classes"], min_agreement=1)
    (found,) = check_outputs(got, want, rule)
    assert (found.tensor, found.passed, found.equal_share) == ("boxes+classes", True, 1)
    got["classes"] = want["classes"]
    assert not check_outputs(got, want, rule)[0].passed
    del got["classes"]
    assert check_outputs(got, want, rule)[0].detail == "there is no output 'classes'"


@pytest.mark.parametrize("reference", [floats(0, 0, 0), floats(7, 7, 7), np.zeros((1, 0), np.float32)])
def test_a_reference_that_can_show_nothing_leaves_the_engine_unchecked(reference: Tensor) -> None:
    checks = check_outputs({"y": reference}, {"y": reference}, CLOSE)
    (flag,) = check_flags(checks, CLOSE)
    assert flag.kind == FLAG_KIND_UNCHECKED
    assert "the reference cannot show a fault: y: " in flag.evidence


def test_a_reference_of_nothing_but_nan_is_never_equal() -> None:
    nothing = np.full((1, 3), np.nan, np.float32)
    for rule in (CLOSE, COSINE):
        assert not check(nothing, nothing, rule).passed
