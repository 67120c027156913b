"""What can be read from Python's syntax alone: literals, annotations, and functions that ask for an attribute."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Strings in a literal; `keys` are those of a dictionary."""

    values: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


def holders(classes: Iterable[ast.ClassDef]) -> dict[str, dict[str, str]]:
    """The code's own classes, as `@Name`, with those of their attributes that are annotated as TensorRT's."""
    found: dict[str, dict[str, str]] = {}
    for node in classes:
        fields = [item for item in ast.walk(node) if isinstance(item, ast.AnnAssign)]
        named = {(variable(item.target) or "").removeprefix("self."): annotated(item.annotation) for item in fields}
        found[f"@{node.name}"] = {name: owner for name, owner in named.items() if owner}
    return {name: fields for name, fields in found.items() if fields}


def annotated(annotation: ast.expr) -> str | None:
    """`IBuilderConfig` of trt.IBuilderConfig, quoted or optional; None for a list or a callable of them."""
    annotation = unquoted(annotation)
    return _named(annotation) if isinstance(annotation, ast.Attribute | ast.BinOp) else None


def element(annotation: ast.expr) -> str | None:
    """`ITensor` of list[trt.ITensor]."""
    annotation = unquoted(annotation)
    return _named(annotation.slice) if isinstance(annotation, ast.Subscript) else None


def _named(annotation: ast.expr) -> str | None:
    named = [ast.unparse(item) for item in ast.walk(annotation) if isinstance(item, ast.Attribute)]
    return max((item.removeprefix("trt.") for item in named if item.startswith("trt.")), key=len, default=None)


def unquoted(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.parse(node.value, mode="eval").body
    return node


def asks(node: ast.FunctionDef) -> bool:
    """Whether this is a function that asks its first argument for a name, its second."""
    if len(node.args.args) < 2:
        return False
    parameters = {argument.arg for argument in node.args.args}
    return any(set(_names(call.args)) <= parameters and len(call.args) > 1 for call in _asking(node))


def _asking(node: ast.FunctionDef) -> Iterator[ast.Call]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and variable(call.func) in ("hasattr", "getattr"):
            yield call


def _names(nodes: Iterable[ast.expr]) -> Iterator[str]:
    return (node.id if isinstance(node, ast.Name) else "" for node in list(nodes)[:2])


def variable(node: ast.expr | None) -> str | None:
    """`x`, or `self.x`: an object's own attributes are as good as variables here."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return f"self.{node.attr}"
    return None


def literals(node: ast.expr | None) -> Words:
    """The strings in a literal, at any depth; of a dictionary, keys and values apart."""
    if isinstance(node, ast.Dict):
        return Words(_strings(node.values), _strings([key for key in node.keys if key is not None]))
    return Words(_strings([node])) if isinstance(node, ast.Constant | ast.Tuple | ast.List | ast.Set) else Words()


def _strings(nodes: Sequence[ast.expr]) -> tuple[str, ...]:
    inner = (item for node in nodes for item in ast.walk(node))
    return tuple(item.value for item in inner if isinstance(item, ast.Constant) and isinstance(item.value, str))
