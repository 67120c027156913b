"""Cognitive complexity of functions, as SonarSource defines it (G. Ann Campbell, "Cognitive Complexity", 2018).

What breaks the linear flow costs one, and one more per level of nesting that it stands in; a sequence of the same
boolean operator costs one; so do `else`, `elif` and a call of oneself.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def complexities(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every function that stands in no other function, with its name; nested ones count for the one around them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _FUNCTIONS):
            counter = _Counter(node.name)
            counter.visit_all(node.body, nesting=0)
            yield node.name, counter.total
        else:
            yield from complexities(node)


@dataclass
class _Counter:
    function: str
    total: int = field(default=0, init=False)

    def visit_all(self, nodes: "list[ast.stmt] | list[ast.expr]", *, nesting: int) -> None:
        for node in nodes:
            self.visit(node, nesting=nesting)

    def visit(self, node: ast.AST, *, nesting: int) -> None:
        if isinstance(node, ast.If):
            self._branch(node, nesting=nesting)
        elif isinstance(node, _LOOPS):
            self._loop(node, nesting=nesting)
        elif isinstance(node, ast.Try):
            self._attempt(node, nesting=nesting)
        elif isinstance(node, ast.IfExp | ast.Match):
            self.total += 1 + nesting
            self._children(node, nesting=nesting + 1)
        elif isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            self._children(node, nesting=nesting + 1)
        else:
            self.total += self._flat(node)
            self._children(node, nesting=nesting)

    def _branch(self, node: ast.If, *, nesting: int, is_elif: bool = False) -> None:
        self.total += 1 if is_elif else 1 + nesting
        self.visit(node.test, nesting=nesting)
        self.visit_all(node.body, nesting=nesting + 1)
        match node.orelse:
            case []:
                return
            case [ast.If() as following]:
                self._branch(following, nesting=nesting, is_elif=True)
            case otherwise:
                self.total += 1
                self.visit_all(otherwise, nesting=nesting + 1)

    def _loop(self, node: "ast.For | ast.AsyncFor | ast.While", *, nesting: int) -> None:
        self.total += 1 + nesting + bool(node.orelse)
        self.visit(node.test if isinstance(node, ast.While) else node.iter, nesting=nesting)
        self.visit_all([*node.body, *node.orelse], nesting=nesting + 1)

    def _attempt(self, node: ast.Try, *, nesting: int) -> None:
        self.visit_all(node.body, nesting=nesting)
        for handler in node.handlers:
            self.total += 1 + nesting
            self.visit_all(handler.body, nesting=nesting + 1)
        self.total += bool(node.orelse)
        self.visit_all([*node.orelse, *node.finalbody], nesting=nesting)

    def _flat(self, node: ast.AST) -> int:
        if isinstance(node, ast.BoolOp):
            return 1
        is_own_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == self.function
        return int(is_own_call)

    def _children(self, node: ast.AST, *, nesting: int) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child, nesting=nesting)
