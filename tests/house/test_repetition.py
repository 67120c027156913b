"""What tests build with is written once: no six equal lines stand in two of their builders."""

import ast
from itertools import combinations

from tests.house.source import modules, name

LINES = 6
KNOWN: set[frozenset[str]] = set()


def builders():
    """Modules beside the tests that hold no test, and the benchmarks."""
    return [
        path
        for path in modules("benchmarks", "testing", "tests")
        if not path.name.startswith("test_") and path.stat().st_size
    ]


def code_lines(text):
    """Without imports, blank lines and indentation: what is equal there says nothing."""
    imports = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = (line.strip() for number, line in enumerate(text.splitlines(), start=1) if number not in imports)
    return [line for line in lines if line]


def blocks(text):
    lines = code_lines(text)
    return {tuple(lines[start : start + LINES]) for start in range(len(lines) - LINES + 1)}


def test_no_block_of_six_lines_stands_in_two_builders():
    found = {name(path): blocks(path.read_text()) for path in builders()}
    shared = {(one, other): sorted(found[one] & found[other]) for one, other in combinations(found, 2)}
    repeated = {pair: lines[0] for pair, lines in shared.items() if lines and frozenset(pair) not in KNOWN}
    assert repeated == {}


def test_a_repeated_block_would_be_found():
    lines = [f"x{number} = {number}" for number in range(LINES)]
    one, other = "import os\n" + "\n".join(lines), "def f():\n" + "\n\n".join(f"    {line}" for line in lines)
    assert blocks(one) & blocks(other) == {tuple(lines)}
    assert blocks(one) & blocks("\n".join(lines[1:])) == set()
