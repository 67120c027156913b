"""The table of TensorRT releases, and what else is written of them, held against it."""

import re
from pathlib import Path

import pytest

from jetfleet.releases import RELEASES
from jetfleet.tensorrt import (
    DLA_HISTORY,
    DLA_RELEASES,
    LINES,
    NEWEST_OPSET,
    SUPPORTED,
    dla_refusal,
    line_of,
    since_which,
    version_number,
)

JOBS = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text(encoding="utf-8")
DLA_FREE = ["10.8.0", "10.11.0.33+jp6", "10.13.3.9", "10.16.2.10", "11.0.0", "11.4.0", "11.4.0.106"]


@pytest.mark.parametrize(
    ("version", "supported", "typed", "weak", "opset"),
    [
        ("8.5.2", False, False, True, None),
        ("8.6.2.3", True, False, True, 17),
        ("9.3.0", False, False, True, 19),
        ("10.3.0.30", True, True, True, 20),
        ("10.7.0", True, True, True, 20),
        ("10.16.2.10", True, True, True, 24),
        ("11.4.0.106", True, True, False, 24),
        ("11.4.1", True, True, False, 24),
        ("12.0", True, True, False, None),
    ],
)
def test_a_version_belongs_to_a_line(version, supported, typed, weak, opset):
    line = line_of(version)
    assert (line.supported, line.typed, line.weak, line.opset) == (supported, typed, weak, opset)


@pytest.mark.parametrize("version", ["", "unreadable", "0", "7.1"])
def test_what_is_not_a_version_is_not_supported(version):
    assert not line_of(version).supported


@pytest.mark.parametrize("version", DLA_FREE)
def test_no_dla_from_10_8_up_to_and_including_11_4_0(version):
    refused = dla_refusal("It", line_of(version), module="p3701-0005", l4t="39.2.2")
    assert refused == f"It has no DLA ({DLA_HISTORY})"


@pytest.mark.parametrize("version", ["8.6.2", "10.3.0.30", "10.7.0.23"])
@pytest.mark.parametrize("module", ["p3701-0005", "p3767-0000", ""])
def test_a_dla_up_to_10_7_on_every_module(version, module):
    assert dla_refusal("It", line_of(version), module=module, l4t="36.4.3") == ""


def test_11_4_1_drives_the_dla_of_agx_orin_from_jetpack_7_2_2_on():
    line = line_of("11.4.1")
    assert dla_refusal("It", line, module="p3701-0005", l4t="39.2.2") == ""
    assert dla_refusal("It", line, module="p3701-0005", l4t="39.2.9") == ""
    assert dla_refusal("It", line, module="", l4t="") == ""
    assert dla_refusal("It", line, module="p3767-0000", l4t="39.2.2") == "It drives the DLA of AGX Orin only"
    older = dla_refusal("It", line, module="p3701-0005", l4t="39.2.1")
    assert older == "It drives a DLA from JetPack 7.2.2 (L4T 39.2.2) on, and this is L4T 39.2.1"


def test_the_lines_stand_in_order():
    starts = [line.since for line in LINES]
    assert starts == sorted(set(starts))
    assert NEWEST_OPSET == 24
    assert since_which("same_compute_capability") == "10.13"


def test_the_words_for_people_agree_with_the_table():
    assert re.findall(r"[\d.]+", SUPPORTED) == ["8.6", "10", "11"]
    for version in re.findall(r"[\d.]+", SUPPORTED):
        assert line_of(version).supported
    for words in (DLA_HISTORY, DLA_RELEASES):
        last, again = re.findall(r"\d+\.[\d.]*\d", words)
        major, minor = version_number(last)
        assert line_of(last).dla is not None
        assert line_of(f"{major}.{minor + 1}").dla is None
        assert again == ".".join(map(str, next(x.since for x in LINES if x.since > (11,) and x.dla)))


def test_every_release_from_jetpack_6_on_brings_a_tensorrt_that_is_supported():
    brought = {item.tensorrt for item in RELEASES.values() if item.tensorrt and item.l4t >= "36"}
    assert len(brought) >= 5
    assert [text for text in brought if not line_of(text).supported] == []


def _ways(line):
    gpu = "flags" if not line.typed else "typed, or `lowering: flags`" if line.weak else "typed"
    if line.dla is None:
        return gpu, "none"
    way = "flags" if line.weak else "typed"
    return gpu, f"{way}, AGX Orin only" if line.dla.modules else way


def test_the_table_in_the_docs_says_the_same():
    rows = re.findall(r"^\| (\d[\d.]*)(?: to ([\d.]+)| on)? \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", JOBS, flags=re.M)
    assert len(rows) == 5
    for first, last, jetpacks, gpu, dla in rows:
        for version in filter(None, (first, last)):
            assert _ways(line_of(version)) == (gpu, dla), version
        for jetpack in re.findall(r"\d[\d.]*", jetpacks):
            brought = {item.tensorrt for item in RELEASES.values() if item.jetpack == jetpack and item.tensorrt}
            assert {_ways(line_of(version)) for version in brought} == {(gpu, dla)}, jetpack
