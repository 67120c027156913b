"""`controller devices ...`: what a person says of a board, in real processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.test_verbs import data

Model = Callable[..., Path]


def shown(fleet: Command, name: str) -> Any:
    return data(fleet("devices", "show", name, "--json"))["device"]


def test_a_board_is_renamed_labelled_and_cordoned(fleet: Command, model: Model) -> None:
    assert fleet("devices", "label", "board", "rack=b", "shelf=2").stderr == "board: online\n"
    assert fleet("devices", "label", "board", "shelf=").returncode == 0
    assert fleet("devices", "rename", "board", "orin-1").stderr == "orin-1: online\n"
    try:
        facts = shown(fleet, "orin-1")["facts"]
        assert (facts["label.rack"], "label.shelf" in facts) == ("b", False)
        by_name = fleet("submit", str(model(targets="[{every: {device: orin-1, label.rack: b}}]")), "--wait")
        assert by_name.returncode == 0, by_name.stderr
        assert fleet("devices", "cordon", "orin-1", "--reason", "new fan").stderr == "orin-1: cordoned\n"
        refused = fleet("submit", str(model()))
        assert refused.returncode == 4
        assert "orin-1 is cordoned" in refused.stderr
        assert fleet("devices", "uncordon", "orin-1").stderr == "orin-1: online\n"
        assert "orin-1: idle and cordoned" in fleet("devices", "drain", "orin-1").stderr
    finally:
        fleet("devices", "uncordon", "orin-1")
        fleet("devices", "rename", "orin-1", "board")
    live = fleet("devices", "remove", "board")
    assert live.returncode == 4
    assert "board is not removed: it is online" in live.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("rename", "nobody", "x"),
        ("label", "board", "rack"),
        ("adopt", "nobody", "0" * 32),
        ("adopt", "board", "orin-2"),
        ("adopt", "board", ""),
        ("cordon", "board", "--reason", "x" * 1001),
    ],
)
def test_mistakes(fleet: Command, words: tuple[str, ...]) -> None:
    assert fleet("devices", *words).returncode == 2
