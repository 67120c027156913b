"""A store per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.fleet import StoreFleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[StoreFleet]:
    found = StoreFleet(tmp_path / "store")
    yield found
    found.close()
