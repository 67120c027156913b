"""Which names a file of the user's code gives: read, never run, for what it does is the board's to allow."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jetfleet.errors import BadInput


@dataclass(frozen=True)
class FileNames:
    """Names at the top of a file that may be functions, and those of them that it defines as such."""

    possible: frozenset[str]
    functions: frozenset[str]


def names_in(path: Path) -> FileNames | None:
    """None where only running the file would tell.

    Raises BadInput for a file that Python cannot read.
    """
    try:
        tree = ast.parse(path.read_bytes(), filename=path.name)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}", expected="a Python file") from error
    except (SyntaxError, ValueError) as error:
        at = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        words = error.msg if isinstance(error, SyntaxError) else str(error)
        raise BadInput(f"{path.name}{at} is not valid Python: {words}", expected="a Python file") from error
    names = frozenset(_names(tree.body))
    if names & {"*", "__getattr__"} or _is_dynamic(tree):
        return None
    return FileNames(names, frozenset(_functions(tree.body)))


def _is_dynamic(tree: ast.AST) -> bool:
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return bool(words & {"globals", "exec", "vars", "setattr"})


def _names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Under a condition and in a `try` too; what is in a function is its own."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import():
                continue  # modules
            case ast.ImportFrom():
                yield from (item.asname or item.name for item in statement.names)
            case _:
                yield from _assigned(statement)
                yield from _names(_inner(statement))


def _functions(body: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield statement.name
            case ast.ClassDef():
                continue
            case _:
                yield from _functions(_inner(statement))


def _inner(statement: ast.stmt) -> Iterator[ast.stmt]:
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.stmt):
            yield node
        elif isinstance(node, ast.ExceptHandler | ast.match_case):
            yield from node.body


def _assigned(statement: ast.stmt) -> Iterator[str]:
    for node in ast.iter_child_nodes(statement):
        if not isinstance(node, ast.stmt):
            named = (item for item in ast.walk(node) if isinstance(item, ast.Name))
            yield from (item.id for item in named if isinstance(item.ctx, ast.Store))
