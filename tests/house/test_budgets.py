"""Budgets and manners of the source: what a review would otherwise have to count."""

import ast
import io
import re
import tokenize

import pytest

from tests.house.source import ROOMS, ROOT, modules, name, tracked

MODULE_LINES = 300
FUNCTION_LINES = 50
MODULES = modules(*ROOMS)
WRITTEN = [path for path in MODULES if path.name != "__init__.py"]


def test_the_rooms_are_looked_at():
    found = {name(path) for path in WRITTEN}
    assert {"controller/core/plan.py", "controller/model/task.py", "proto/jetfleet/rpc.py", "agent/cli.py"} <= found
    assert len(INIT_FILES) > 10


def test_modules_fit_their_budget():
    lines = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > MODULE_LINES} == {}


def functions(module):
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            yield node.name, (node.end_lineno or first) - first + 1


def test_functions_fit_their_budget():
    lines = [(name(path), *found) for path in WRITTEN for found in functions(ast.parse(path.read_text()))]
    assert [item for item in lines if item[2] > FUNCTION_LINES] == []


PUBLIC_API = ROOT / "controller" / "__init__.py"  # the one that is not empty: `from controller import connect`
INIT_FILES = [path for path in MODULES if path.name == "__init__.py" and path != PUBLIC_API]


def test_init_files_are_empty():
    assert [name(path) for path in INIT_FILES if path.read_text()] == []


def test_modules_say_what_they_own():
    assert [name(path) for path in WRITTEN if not ast.get_docstring(ast.parse(path.read_text()))] == []


# Spelled in two halves, so that searching the source for them does not find this line.
FORBIDDEN = re.compile("|".join(["TODO", "FIXME", "XXX", "type: ignore", "noqa", "pragma: no cover"]))


def excuses(text):
    if not FORBIDDEN.search(text):
        return []
    comments = (
        token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    )
    return [f"line {token.start[0]}: {token.string}" for token in comments if FORBIDDEN.search(token.string)]


def test_no_comment_excuses_the_code():
    assert [(name(path), *found) for path in WRITTEN if (found := excuses(path.read_text()))] == []


def test_an_excuse_would_be_found():
    assert len(excuses("x = 1  # noqa: E501\ny = 2  # type: ignore[x]\nz = 'TODO in a string'\n")) == 2
    assert dict(functions(ast.parse("@a\n@b\ndef f():\n    x = 1\n    return x\n"))) == {"f": 5}


MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:work|root|Users|home/\w+)/\w")
REGISTRY = re.compile("pypi" r"\.org|python" r"hosted\.org|--?(?:extra-)?index" "-url|--find" "-links")
OWN = "tests/house/test_budgets.py"


def test_no_file_names_a_machine_or_a_registry():
    """What pip installs from is the business of the machine that it runs on."""
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data or name(path) == OWN:
            continue
        for number, line in enumerate(data.decode().splitlines(), start=1):
            if MACHINE_PATH.search(line) or REGISTRY.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert found == []


MERGE_MARK = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


def test_no_file_holds_two_sides_of_a_merge():
    texts = {name(path): path.read_bytes() for path in tracked()}
    assert [file for file, data in texts.items() if MERGE_MARK.search(data.decode(errors="replace"))] == []
    assert MERGE_MARK.search("a\n<<<<<<< HEAD\nb\n")


@pytest.mark.parametrize("line", ["cd /home/ann/x", 'open("/root/a")', "pip install --index-url x", "see pypi.org/a"])
def test_a_machine_or_a_registry_would_be_found(line):
    assert MACHINE_PATH.search(line) or REGISTRY.search(line)


def test_git_lists_the_files():
    assert ROOT / "pyproject.toml" in tracked()
