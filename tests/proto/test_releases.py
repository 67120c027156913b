"""L4T releases and what they bring; one that is not listed takes its line's place in a version range."""

import pytest
from packaging.version import Version

from controller.core.select import holds
from controller.model.job import Condition, Op
from jetfleet.releases import RELEASES, jetpack_of, l4t_number, place_of


@pytest.mark.parametrize(
    ("l4t", "jetpack", "tensorrt"),
    [
        ("35.6.5", "5.1.7", "8.5.2"),
        ("36.2.0", "6.0", "8.6.2"),
        ("36.4.3", "6.2", "10.3.0.30"),
        ("36.5.0", "6.2.2", "10.3.0.30"),
        ("36.5.2", "6.2.3", "10.3.0.30"),
        ("38.4.0", "7.1", "10.13.3.9"),
        ("39.0.0", "7.2", ""),
        ("39.2.1", "7.2.1", "10.16.2"),
        ("39.2.2", "7.2.2", "11.4.1"),
    ],
)
def test_a_release_brings_its_jetpack_and_tensorrt(l4t, jetpack, tensorrt):
    assert (RELEASES[l4t].jetpack, RELEASES[l4t].tensorrt) == (jetpack, tensorrt)
    assert jetpack_of(l4t) == jetpack


def test_the_table_is_in_order_and_no_release_stands_twice():
    numbers = [l4t_number(l4t) for l4t in RELEASES]
    assert numbers == sorted(set(numbers))
    jetpacks = [Version(item.jetpack) for item in RELEASES.values()]
    assert jetpacks == sorted(jetpacks)


@pytest.mark.parametrize(
    ("l4t", "place"),
    [
        *[
            ("36.5.9", "36.5.2"),
            ("36.5.1", "36.5.0"),
            ("36.4.5", "36.4.4"),
            ("39.2.10", "39.2.2"),
            ("36.5.2", "36.5.2"),
        ],
        *[
            ("36.6.0", "36.5.2"),
            ("36.10.1", "36.5.2"),
            ("38.3.0", "38.2.2"),
            ("39.3.1", "39.2.2"),
            ("35.2.0", "35.1.0"),
        ],
    ],
)
def test_a_release_that_is_not_listed_takes_its_lines_place(l4t, place):
    found = place_of(l4t)
    assert found is not None
    assert found.l4t == place


@pytest.mark.parametrize("l4t", [None, "", "odd", "36", "40.1.0", "37.1.0", "36.1.9", "34.1.0"])
def test_another_line_is_unknown(l4t):
    assert place_of(l4t) is None
    assert jetpack_of(l4t) is None


@pytest.mark.parametrize(
    ("wanted", "l4t", "met"),
    [
        (">=6.1", "36.5.2", True),
        (">=6.1", "36.5.9", True),
        (">=6.2.3,<7", "36.5.9", True),
        ("<7", "36.5.9", True),
        (">=7", "36.5.9", False),
        (">=7.2", "39.2.2", True),
        (">=6.1", "36.3.0", False),
        (">=6.1", "36.6.0", True),
        (">=6.3", "36.6.0", False),
        ("<7", "36.6.0", True),
        (">=7.2,<8", "39.4.0", True),
    ],
)
def test_version_ranges_take_it_in(wanted, l4t, met):
    assert holds(Condition("jetpack", Op.VERSION, (wanted,)), jetpack_of(l4t)) is met


def test_it_is_not_equal_to_the_release_whose_place_it_takes():
    asked = Condition("jetpack", Op.EQUALS, ("6.2.3",))
    assert holds(asked, jetpack_of("36.5.2"))
    assert not holds(asked, jetpack_of("36.5.9"))
