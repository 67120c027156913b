"""Placements: how their text is made up, and that nothing else takes it apart."""

import re
from pathlib import Path

import pytest

from jetfleet.placement import CPU, DLA, GPU, Placement, core_names

ROOT = Path(__file__).parents[2]
_STRING_TESTS = re.compile(r"""startswith\(["']dla["']|split\(["']\+["']|["']\+["'] in |removeprefix\(["']dla["']""")


def test_parts_keep_their_order():
    assert Placement("gpu+dla0+gpu").parts == ("gpu", "dla0", "gpu")
    assert Placement("cpu").parts == ("cpu",)


@pytest.mark.parametrize(
    ("text", "kind", "core"),
    [
        ("cpu", CPU, None),
        ("gpu", GPU, None),
        ("dla", DLA, None),
        ("dla0", DLA, 0),
        ("dla1", DLA, 1),
        ("dla2", DLA, 2),
        ("", "", None),
    ],
)
def test_a_part_says_what_it_is_and_which_core(text, kind, core):
    part = Placement(text)
    assert (part.kind, part.core, part.engine) == (kind, core, kind)
    assert (part.is_cpu, part.is_gpu, part.is_dla) == (kind == CPU, kind == GPU, kind == DLA)


def test_several_parts_are_no_dla_but_use_one():
    both = Placement("gpu+dla0+dla1")
    assert not both.is_dla
    assert both.kinds == {GPU, DLA}


@pytest.mark.parametrize("text", ["cpu", "gpu", "dla1", "gpu+dla0+dla1", "+".join(["gpu"] * 8)])
def test_valid_placements(text):
    assert Placement(text).is_valid


@pytest.mark.parametrize("text", ["", "dla", "dla2", "gpu+", "npu", "gpu dla0", "gpu\n", "+".join(["gpu"] * 9)])
def test_invalid_placements(text):
    assert not Placement(text).is_valid


def test_a_module_has_at_most_two_cores():
    assert core_names(2) == ("dla0", "dla1")
    assert core_names(1) == ("dla0",)
    assert core_names(0) == ()


def test_no_other_module_takes_the_text_of_a_placement_apart():
    modules = [path for room in ("controller", "agent", "testing") for path in (ROOT / room).rglob("*.py")]
    assert len(modules) > 100
    assert [str(path) for path in modules if _STRING_TESTS.search(path.read_text(encoding="utf-8"))] == []
