"""The released bindings, asked in processes of their own; their fixtures."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.bindings.check import CACHE, ask, compile_shims
from tests.bindings.fetch import BINDINGS, for_this_python
from tests.bindings.uses import Surface

HERE = [version for version in BINDINGS if for_this_python(version)]
RTX = "tensorrt_rtx"  # as it is installed, libraries and all
Ask = Callable[[str, str], Any]


@pytest.fixture(scope="session")
def ask_of(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Asks a version by a script."""
    folder = tmp_path_factory.mktemp("shims")
    for major in {version.split(".")[0] for version in HERE}:
        compile_shims(major, folder / major)

    def asking(script: str, version: str) -> Any:
        if version == RTX:
            return ask(script, RTX)
        assert (CACHE / version).is_dir(), f"the bindings of {version} are not there: make bindings"
        return ask(script, "tensorrt_bindings", packages=CACHE / version, shims=folder / version.split(".")[0])

    return asking


@pytest.fixture(scope="session")
def described(ask_of: Ask) -> dict[str, Mapping[str, Any]]:
    """What surface.py tells of each version."""
    told = {version: ask_of("surface.py", version) for version in (*HERE, RTX)}
    assert [told[version]["version"] for version in HERE] == HERE
    return told


@pytest.fixture(scope="session")
def surfaces(described: dict[str, Mapping[str, Any]]) -> dict[str, Surface]:
    return {version: item["surface"] for version, item in described.items()}
