"""No function of the source takes a reader more than ten steps, by SonarSource's measure of cognitive complexity."""

import ast
import textwrap

import pytest

from tests.house.complexity import complexities
from tests.house.source import modules, name

LIMIT = 10


def test_functions_are_easy_to_follow():
    found = [
        (steps, f"{name(path)}:{function}")
        for path in modules("controller", "agent", "proto", "benchmarks", "testing")
        for function, steps in complexities(ast.parse(path.read_text()))
        if steps > LIMIT
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "steps"),
    [
        ("def f(): return 1", 0),
        ("def f(a):\n if a: pass\n elif a: pass\n else: pass", 3),
        ("def f(a):\n for b in a:\n  if b: pass", 3),
        ("def f(a):\n for b in a:\n  while b:\n   if b: pass\n   else: pass", 7),
        ("def f(a, b): return a and b and a or b", 2),
        ("def f(a):\n try: pass\n except ValueError:\n  if a: pass\n else: pass\n finally: pass", 4),
        ("def f(a): return f(a - 1) if a else 0", 2),
        ("def f(a):\n def g():\n  if a: pass\n return g", 2),
        ("def f(a):\n match a:\n  case 1: pass\n  case _: pass", 1),
        ("class A:\n def f(self):\n  if self: pass", 1),
    ],
)
def test_steps_are_counted_as_sonarsource_counts_them(code, steps):
    assert list(complexities(ast.parse(textwrap.dedent(code)))) == [("f", steps)]
