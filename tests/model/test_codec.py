"""What the store keeps as JSON comes back as it was, whatever it was."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.model.codec import dump, load, load_facts
from controller.model.engine import BuildReport
from controller.model.job import CheckRule, Condition, Measure, OutputCheck, OutputSet, Variant
from controller.model.result import Estimate, Measurement, Row
from controller.model.task import DeviceClass, Recipe
from tests.model.strategies import facts, values_of

KINDS = (Variant, Recipe, Measure, BuildReport, DeviceClass, OutputCheck, Measurement, tuple[Condition, ...])
FEW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@FEW
@given(data=st.data())
def test_there_and_back(kind, data):
    value = data.draw(values_of(kind))
    text = dump(value)
    back = load(kind, text)
    assert back == value
    assert dump(back) == text


@FEW
@given(facts())
def test_facts_there_and_back(known):
    assert load_facts(dump(known)) == known


@FEW
@given(values_of(Variant))
def test_the_text_is_canonical(variant):
    text = dump(variant)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_rules_of_single_outputs_come_back_as_rules():
    check = OutputCheck(CheckRule.COSINE, outputs={"boxes": OutputCheck(CheckRule.SET)}, sets=(OutputSet(("a", "b")),))
    assert load(OutputCheck, dump(check)) == check


def test_the_order_of_a_mapping_does_not_show():
    assert dump({"a": 1, "b": 2}) == dump({"b": 2, "a": 1})


def test_not_a_number_stays_one():
    back = load(Estimate, dump(Estimate(math.nan, low=-math.inf, high=math.inf)))
    assert back.value is not None
    assert math.isnan(back.value)
    assert (back.low, back.high) == (-math.inf, math.inf)


def test_a_field_that_came_later_takes_its_default():
    text = json.dumps({"rule": "close", "rtol": 0.5})
    assert load(OutputCheck, text) == OutputCheck(load(OutputCheck, text).rule, rtol=0.5)


@pytest.mark.parametrize("text", ['{"rule": "dream"}', '{"rule": "close", "weather": 1}', "{}"])
def test_what_does_not_fit_is_not_taken(text):
    with pytest.raises((ValueError, TypeError)):
        load(OutputCheck, text)


@FEW
@given(values_of(Row))
def test_a_row_reads_like_its_measurement(row):
    assert (row.part == "whole task") is (row.measurement.subject_index is None)
    assert row.label.startswith(row.variant_key)
