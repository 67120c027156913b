"""Names and words: one class per name, the field's vocabulary, plain English, and few things without a type."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from pathlib import Path

from tests.house.source import ROOT, modules, name

SOURCE = modules("controller", "agent", "proto", "benchmarks", "testing")


CLASS = re.compile(r"^ *class (\w+)[(:]", re.MULTILINE)


def classes(paths):
    places = defaultdict(list)
    for path in paths:
        for word in CLASS.findall(path.read_text()):
            places[word].append(path.stem)
    return places


def test_no_two_classes_share_a_name():
    shared = {word for word, places in classes(SOURCE).items() if len(places) > 1}
    assert shared == set()


# Words of an earlier house: heartbeat, notifier, context, interceptor, noise floor, queue, comparability, aggregate,
# run once, normalise and prepare are what the field calls these.
DEAD = re.compile(
    r"^(heart|pulse|bell|guard|floor|ready|alike|whole|once|brought|heeded|needing|making|checked|checking|checkup)s?$",
    re.IGNORECASE,
)
NAMED_FILES = [path for path in [*SOURCE, *modules("tests")] if "house" not in path.parts]


def test_no_file_or_class_has_a_word_of_the_earlier_house():
    assert [name(path) for path in NAMED_FILES if DEAD.match(path.stem.removeprefix("test_"))] == []
    assert [word for word in classes(NAMED_FILES) if DEAD.match(word)] == []
    assert DEAD.match("Checked")
    assert not DEAD.match("noise_floor")


IS_NO = re.compile(r"(?<!there )\b(is|are) no (?!longer\b|such\b|more\b)\w")


def strings(module):
    """The literals that are no docstrings, pieces of f-strings among them, with their lines."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def test_a_message_does_not_say_that_something_is_no_thing():
    said = [f"{name(path)}:{line}: {text}" for path in SOURCE for line, text in strings(ast.parse(path.read_text()))]
    found = [text for text in said if IS_NO.search(text)]
    assert found == []


def test_such_a_message_would_be_found():
    text = '"""It is no model."""\na = f"{a} is no number"\nb = "there is no job"\nc = "it is no longer here"\n'
    assert [line for line, message in strings(ast.parse(text)) if IS_NO.search(message)] == [2]


ANY_IN_THE_STORE = 20


def uses_of_any(path: Path):
    text = path.read_text()
    if "Any" not in text:
        return 0
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.NAME and token.string == "Any" for token in tokens)


def test_the_store_knows_its_types():
    assert sum(uses_of_any(path) for path in modules("controller/store")) <= ANY_IN_THE_STORE
    assert uses_of_any(ROOT / "tests/agent/test_cli.py") == 0
