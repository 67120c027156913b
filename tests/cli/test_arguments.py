"""Options that may stand anywhere, and `--local` with and without a value."""

import pytest

from controller.cli.arguments import reorder_options


@pytest.mark.parametrize(
    ("given", "reordered"),
    [
        ("jobs --state S", "--state S jobs"),
        ("job show 3 --address=unix:/x -v", "--address=unix:/x -v job show 3"),
        ("submit j.yaml --local --wait", "submit j.yaml --local=1 --wait"),
        ("submit j.yaml --local=2", "submit j.yaml --local=2"),
        ("query -- --state", "query -- --state"),
        ("jobs --state", "--state jobs"),
        ("", ""),
    ],
)
def test_arranged(given: str, reordered: str) -> None:
    assert reorder_options(given.split()) == reordered.split()
