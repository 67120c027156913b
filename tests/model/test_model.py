"""The few decisions that live on model objects: verdicts, and how conditions and targets read."""

import dataclasses
import importlib
import inspect
import itertools
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.job import Condition, Op, Precision
from controller.model.result import (
    DISQUALIFYING,
    REMARKS,
    VALID,
    Estimate,
    Flag,
    FlagKind,
    Measurement,
    Provenance,
    Row,
    verdict,
)
from testing.specs import any_of, every, versions, where
from tests.house.source import modules


def test_the_verdict_is_the_worst_flag():
    for worse, better in itertools.combinations(DISQUALIFYING, 2):
        assert verdict([better, worse]) == verdict([worse, better]) == worse.value


def test_no_flag_is_valid_and_every_flag_has_a_say():
    assert verdict([]) == VALID
    assert {*DISQUALIFYING, *REMARKS} == set(FlagKind)
    assert len(DISQUALIFYING) + len(REMARKS) == len(FlagKind)


@given(st.lists(st.sampled_from(FlagKind)), st.sampled_from(FlagKind))
def test_one_more_flag_never_makes_a_verdict_better(flags, more):
    order = [kind.value for kind in DISQUALIFYING] + [VALID]
    assert order.index(verdict([*flags, more])) <= order.index(verdict(flags))
    assert verdict(reversed(flags)) == verdict(flags) == verdict([*flags, *flags])
    assert (verdict(flags) == VALID) is {*flags}.issubset(REMARKS)


def test_a_measurement_derives_its_verdict():
    made = Measurement(
        provenance=Provenance.MEASURED,
        n=3,
        subject_index=None,
        window_s=1.0,
        warmup_s=0.5,
        warmup_n=1,
        rounds=(),
        checks=(),
        accuracy_n=0,
        flags=(Flag(FlagKind.UNSTABLE, "drift"), Flag(FlagKind.WRONG_OUTPUT, "off")),
        samples=None,
        metrics={"p50_ms": Estimate(1.0), "p99_ms": Estimate(None, reason="n=3")},
    )
    assert made.verdict == "WRONG_OUTPUT"
    row = Row(
        1, 1, 1, "j", "m", "v", "d", "r", "1", Precision.FP32, 1, "cpu", "k", datetime.now(timezone.utc), {}, made
    )
    assert row.measurement.verdict == "WRONG_OUTPUT"
    assert made.p50_ms == Estimate(1.0)
    assert (made.value("p99_ms"), made.estimate("p99_ms").reason) == (None, "n=3")
    assert made.estimate("p90_ms") == Estimate(None)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (every(), "every device"),
        (any_of(where("sku", "orin")), "any device with sku = orin"),
        (
            every(Condition("sku", Op.IN, ("a", "b")), versions("jetpack", ">=6,<7")),
            "every device with sku in {a, b} and jetpack >=6,<7",
        ),
        (every(Condition("sku", Op.IN, ("a",))), "every device with sku in a"),
    ],
)
def test_targets_read_like_sentences(target, text):
    assert str(target) == text


def test_everything_that_rooms_hand_to_each_other_is_frozen():
    found = {}
    for path in modules("controller/model"):
        module = importlib.import_module(f"controller.model.{path.stem}") if path.stem != "__init__" else None
        for name, item in inspect.getmembers(module, dataclasses.is_dataclass):
            found[name] = item
    assert {"JobSpec", "Candidate", "Measurement", "Lease", "DeviceView"} <= set(found)
    assert [name for name, item in found.items() if not item.__dataclass_params__.frozen] == []
