"""Selectors: typed facts, version ranges, and unknown that never matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.select import holds, matches, nearest_miss, unmet
from controller.model.facts import FACT_TYPES, FactType, fact_type, shown
from controller.model.job import Condition, Op
from jetfleet.errors import BadInput
from testing.devices import device, orin
from testing.specs import versions, where


@pytest.mark.parametrize(
    ("fact", "wanted", "value", "result"),
    [
        ("arch", "x86_64", "x86_64", True),
        ("arch", "X86_64", "x86_64", False),
        ("arch", "aarch64", "x86_64", False),
        ("cpu_count", "8", 8, True),
        ("cpu_count", "9", 8, False),
        ("simulated", "true", True, True),
        ("simulated", "True", True, True),
        ("simulated", "false", True, False),
        ("simulated", "false", False, True),
        ("cpu_isa", "avx2", ("avx2", "sse4"), True),
        ("cpu_isa", "avx", ("avx2", "sse4"), False),
        ("cpu_isa", "avx2", (), False),
        ("jetpack", "6.1", "6.1.0", True),
        ("jetpack", "6.1", "6.1.1", False),
        ("jetpack", "6.1", "six", False),
        ("jetpack", "six", "six", True),
        ("runtime.tensorrt", "10.3", "10.3.0", True),
        ("label.rack", "1.0", "1.0.0", False),
        ("label.rack", "b", "b", True),
    ],
)
def test_equals(fact, wanted, value, result):
    assert holds(Condition(fact, Op.EQUALS, (wanted,)), value) is result


@pytest.mark.parametrize(("value", "result"), [("a", True), ("b", True), ("c", False)])
def test_in_means_one_of(value, result):
    assert holds(Condition("sku", Op.IN, ("a", "b")), value) is result


def test_in_on_a_set_means_any_of_them():
    assert holds(Condition("cpu_isa", Op.IN, ("neon", "avx2")), ("avx2",))
    assert not holds(Condition("cpu_isa", Op.IN, ("neon", "sve")), ("avx2",))


@pytest.mark.parametrize(
    ("specifiers", "value", "result"),
    [
        (">=6.1", "6.1", True),
        (">=6.1", "6.0.9", False),
        (">=6.1,<7", "6.2", True),
        (">=6.1,<7", "7.2", False),
        ("==36.*", "36.4.3", True),
        ("!=36.4.3", "36.4.3", False),
        ("~=10.3", "10.16.1", True),
        ("~=10.3", "11.0", False),
        (">=1.20", "1.23.2+cu12", True),
        (">=7", "7.2rc1", True),
        (">=6.1", "R36 rev 4", False),
        (">=4", 8, True),
        (">=4", True, False),
        (">=4", ("8",), False),
    ],
)
def test_version_ranges(specifiers, value, result):
    assert holds(versions("jetpack", specifiers), value) is result


def test_a_range_that_cannot_be_read_is_the_users_mistake():
    with pytest.raises(BadInput, match="jetpack: 'at least 6' is not a version range") as caught:
        holds(versions("jetpack", "at least 6"), "6.1")
    assert caught.value.expected == "PEP 440, as in >=6.1,<7"


@given(
    st.sampled_from(sorted(FACT_TYPES)), st.sampled_from(Op), st.sampled_from(["", "unknown", ">=0", "none", "None"])
)
def test_unknown_never_matches(fact, op, wanted):
    assert not holds(Condition(fact, op, (wanted,)), None)
    bare = device(drop=tuple(FACT_TYPES))
    assert unmet([Condition(fact, op, (wanted,))], bare) == [Condition(fact, op, (wanted,))]


def test_all_conditions_must_hold_and_unmet_keeps_their_order():
    conditions = [versions("jetpack", ">=7"), where("arch", "aarch64"), where("sku", "orin-nano-8gb")]
    assert unmet(conditions, orin()) == [conditions[0], conditions[2]]
    assert not matches(conditions, orin())
    assert matches(conditions[1:2], orin())
    assert matches([], device())


def test_the_nearest_miss_is_the_device_that_lacks_least():
    conditions = [where("arch", "aarch64"), versions("jetpack", ">=7"), where("label.rack", "b")]
    text = nearest_miss(conditions, [device(), orin("nano", label__rack="b"), orin("nx")])
    assert text == "nearest: nano, which misses jetpack >=7 (its jetpack is 6.2)"
    text = nearest_miss(conditions, [orin("nx", drop=("jetpack",))])
    assert text == (
        "nearest: nx, which misses jetpack >=7 (its jetpack is unknown), label.rack = b (its label.rack is unknown)"
    )


def test_the_nearest_miss_without_devices():
    assert nearest_miss([where("arch", "aarch64")], []) == "no device has ever registered"


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("arch", FactType.TEXT),
        ("runtime.onnxruntime", FactType.VERSION),
        ("label.rack", FactType.TEXT),
        ("label.a.b", FactType.TEXT),
        ("label.", None),
        ("label", None),
        ("arch.x", None),
        ("nonsense", None),
    ],
)
def test_fact_types(key, kind):
    assert fact_type(key) is kind


@pytest.mark.parametrize(
    ("value", "text"), [(None, "unknown"), (("a", "b"), "a b"), (True, "true"), (False, "false"), (8, "8"), ("x", "x")]
)
def test_facts_as_people_read_them(value, text):
    assert shown(value) == text
