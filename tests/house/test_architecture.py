"""docs/architecture.md is the map of rooms: one line for each folder of code and each module that stands in none."""

import re
from pathlib import PurePath

import pytest

from tests.house.source import ROOT, name, tracked

SOURCE = ("agent", "controller", "proto/jetfleet", "testing", "benchmarks")
# Modules in these folders have lines of their own, because they belong to no room.
OPEN_FOLDERS = ("agent", "proto/jetfleet", "controller")


def rooms(files):
    modules = [PurePath(file) for file in files if file.endswith(".py") and file.startswith(SOURCE)]
    folders = {f"{path.parent.as_posix()}/" for path in modules}
    alone = {path.as_posix() for path in modules if path.parent.as_posix() in OPEN_FOLDERS and path.stem != "__init__"}
    return folders | alone


def mapped(text):
    return re.findall(r"^\| `([^`]+)` \| [^|\s]", text, re.MULTILINE)


def test_every_room_has_its_line_and_every_line_its_room():
    lines = mapped((ROOT / "docs/architecture.md").read_text())
    assert sorted(lines) == sorted(rooms(name(path) for path in tracked()))


@pytest.mark.parametrize(
    ("file", "room"),
    [
        ("agent/power/supply.py", "agent/power/"),
        ("agent/power.py", "agent/power.py"),
        ("controller/store/tables.py", "controller/store/"),
    ],
)
def test_a_new_room_would_be_missed_in_the_map(file, room):
    assert room in rooms([file])
    assert mapped(f"| `{room}` | power |") == [room]
    assert mapped(f"| `{room}` | |") == []
