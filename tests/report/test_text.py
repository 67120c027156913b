"""Numbers as people read them; text from devices without power over a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.result import Estimate
from controller.report.text.words import clean, duration, estimate, number, one_line


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("a\x1b(Bb", "ab"),
        ("over\rwritten", "overwritten"),
        ("back\x08space", "backspace"),
        ("\u202etxt.exe", "txt.exe"),
        ("line one\nline\ttwo", "line one\nline\ttwo"),
        ("unfinished \x1b[", "unfinished "),
        ("ends in escape \x1b", "ends in escape "),
    ],
)
def test_control_sequences_are_stripped(sent: str, shown: str) -> None:
    assert clean(sent) == shown


@given(st.text())
def test_nothing_that_steers_survives(text: str) -> None:
    kept = set(clean(text)) - {"\n", "\t"}
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in kept)


def test_one_line_is_one_line() -> None:
    assert one_line("a\n  b\x1b[2K\tc ") == "a b c"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0.0, "0"),
        (14.7213, "14.72"),
        (0.012345, "0.01235"),
        (1234.56, "1235"),
        (123456.7, "123457"),
        (float("inf"), "inf"),
        (3e9, "3e+09"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_an_estimate_shows_half_its_interval_or_why_not() -> None:
    assert estimate(Estimate(14.72, 14.67, 14.77), n=800) == "14.72 ± 0.34 %"
    assert estimate(Estimate(14.72), n=800) == "14.72"
    assert estimate(Estimate(None, reason="needs 300 samples"), n=120) == "n/a (n=120)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (4.21, "4.2 s"), (59.99, "60.0 s"), (185, "3 min 05 s"), (3599.9, "1 h 00 min"), (7620, "2 h 07 min")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
