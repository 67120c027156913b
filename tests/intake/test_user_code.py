"""The user's Python is blamed by file and line, in this very process: nothing here needs torch."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.intake.export import user_code
from controller.intake.jobfile.model_error import ModelError


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def refused(folder: Path, source: str, entry: str = "mynet:load") -> ModelError:
    (folder / "mynet.py").write_text(source)
    with pytest.raises(ModelError) as caught:
        user_code.call(entry, user_code.import_callable(entry, folder), {})
    caught.value.where = caught.value.where.replace(f"{folder}/", "")
    return caught.value


@pytest.mark.parametrize(
    ("source", "where", "message"),
    [
        (
            "import nothing_like_it",
            "mynet.py:1",
            "importing mynet raised ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
        ("\n1 / 0", "mynet.py:2", "importing mynet raised ZeroDivisionError: division by zero"),
        ("def load(:", "mynet.py:1:10", "*SyntaxError: invalid syntax"),
        (
            "def load():\n    import json\n    json.loads('{')",
            "mynet.py:3",
            "*load() raised JSONDecodeError: Expecting*",
        ),
        (
            "def load(width): ...",
            "",
            "*load() raised TypeError: load() missing 1 required positional argument: 'width'",
        ),
        ("def load():\n    raise SystemExit(3)", "mynet.py:2", "load() raised SystemExit: 3"),
        ("def laod(): ...", "", "module mynet has no 'load'"),
        ("load = 3", "", "mynet:load is a int"),
    ],
)
def test_refused(tmp_path: Path, source: str, where: str, message: str) -> None:
    error = refused(tmp_path, source)
    assert error.where == where
    assert message.strip("*") in error.message
    assert error.where or error.steps == ("model", "torch")


def test_suggestions(tmp_path: Path) -> None:
    assert refused(tmp_path, "def laod(): ...").hint == "did you mean 'laod'?"
    error = refused(tmp_path, "", "mynett:load")
    assert (error.message, error.hint) == ("there is no module 'mynett'", "did you mean 'mynet'?")


def test_sources_are_those_of_no_library(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("x = 1")
    (tmp_path / "whole.py").write_text("import json, part\ndef load(): return 3")
    assert user_code.call("whole:load", user_code.import_callable("whole:load", tmp_path), {}) == 3
    found = user_code.sources()
    assert (found["whole"], found["part"]) == (tmp_path / "whole.py", tmp_path / "part.py")
    assert not {"json", "pytest", "numpy"} & set(found)
