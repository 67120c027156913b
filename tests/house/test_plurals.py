"""Counts in what people read are written by jetfleet/plural.py, which knows that one of them is no several."""

import re
from pathlib import Path

from jetfleet.plural import are, counted
from tests.house.source import modules

ROOMS = ("controller/report", "controller/cli", "controller/api", "controller/bundle", "agent/bundle")
NOUNS = (
    "files|rows|measurements|jobs|tasks|devices|variants|processes|builds|labels|engines|agents|faults|layers|samples"
    "|boards|comparisons|medians|tensors|outputs|cells|entries|seals"
)
# What stands for a count: a name or an attribute, or the length of something.
BY_HAND = re.compile(rf"\{{(?:len\([^{{}}]*\)(?: - 1)?|[a-z_]+(?:\.[a-z_]+)*)\}} (?:[a-z]+ )?(?:{NOUNS})\b")
CONDITIONAL = re.compile(r"s?\{'s?' if \w+ [!=]= 1 else '(?:e?s)?'\}")


def test_no_count_is_written_with_a_plural_by_hand() -> None:
    found = [
        f"{path.name}: {line.strip()}"
        for path in modules(*ROOMS)
        for line in Path(path).read_text().splitlines()
        if BY_HAND.search(line) or CONDITIONAL.search(line)
    ]
    assert found == []


def test_one_is_no_several() -> None:
    assert [counted(n, "more fresh process") for n in (0, 1, 2)] == [
        "0 more fresh processes",
        "1 more fresh process",
        "2 more fresh processes",
    ]
    assert (counted(1, "row"), counted(3, "entry"), are(1), are(0)) == ("1 row", "3 entries", "is", "are")
