"""Which names a file of the user's code gives: read, never run, for what it does is the board's to allow."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from jetfleet.errors import BadInput


def functions_in(path: Path) -> set[str] | None:
    """The names at the top of the file that may be functions; None where only running it would tell.

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
    names = set(_names(tree.body))
    return None if names & {"*", "__getattr__"} or _is_dynamic(tree) else names


def _is_dynamic(tree: ast.AST) -> bool:
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return bool(words & {"globals", "exec", "vars", "setattr"})


def _names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Under a condition and in a `try` too; what is in a function is its own."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                yield from (item.asname or item.name.partition(".")[0] for item in statement.names)
            case _:
                yield from _assigned(statement)
                yield from _names(_inner(statement))


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
