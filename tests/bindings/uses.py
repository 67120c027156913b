"""Which names of TensorRT's bindings the code uses, and which it asks for first: taken from the code by its syntax.

What an object is follows from annotations (`config: trt.IBuilderConfig`), from the signatures in the bindings'
docstrings (`builder.create_network()` is an INetworkDefinition), and else from the name it goes by (`config`).
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bindings.syntax import Words, annotated, asks, element, holders, literals, unquoted, variable

MODULE = ""  # the owner of what hangs on the module itself
CONVENTIONS = {
    "trt": MODULE,
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "parser": "OnnxParser",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "inspector": "EngineInspector",
    "logger": "ILogger",
    "recorder": "IErrorRecorder",
    "cache": "ITimingCache",
    "layer": "ILayer",
    "tensor": "ITensor",
    "profile": "IOptimizationProfile",
}
Surface = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, order=True)
class Use:
    """`config.progress_monitor` at a line; `owner` is the class, or "" for the module."""

    owner: str
    name: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {'.'.join(filter(None, ('trt', self.owner, self.name)))}"


@dataclass(frozen=True)
class Uses:
    plain: frozenset[Use]
    probed: frozenset[Use]  # asked for by hasattr, getattr with a default, or a function that does that
    unclear: frozenset[Use]  # asked for by a name that cannot be read from the code
    derived: frozenset[Use]  # `name` is a method of a class that derives from `owner`


def read_uses(files: Iterable[Path], root: Path, surface: Surface) -> Uses:
    """What these files use. `surface`: all classes of all versions, to follow calls by."""
    trees = {path: ast.parse(path.read_text(), str(path)) for path in files}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    probes = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef) and asks(node)}
    surface = {**surface, **holders(node for node in nodes if isinstance(node, ast.ClassDef))}
    readers = []
    for path, tree in trees.items():
        reader = _Reader(str(path.relative_to(root)), surface, probes)
        reader.visit(tree)
        readers.append(reader)
    return Uses(*(frozenset(use for reader in readers for use in reader.found[kind]) for kind in _KINDS))


_KINDS = ("plain", "probed", "unclear", "derived")


def knows_tensorrt(path: Path) -> bool:
    """Whether a file has TensorRT's module, for its types or by the name that it goes by everywhere."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    imported = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    named = [node.id for node in nodes if isinstance(node, ast.Name)] + [
        node.arg for node in nodes if isinstance(node, ast.arg)
    ]
    return "tensorrt" in imported or "trt" in named


class _Reader(ast.NodeVisitor):
    """Walks one file, in order, with what is known of the variables in sight."""

    def __init__(self, file: str, surface: Surface, probes: Mapping[str, ast.FunctionDef]) -> None:
        self.found: dict[str, set[Use]] = {kind: set() for kind in _KINDS}
        self._file, self._surface, self._probes = file, surface, probes
        self._scopes: list[dict[str, str | None]] = [{}]
        self._elements: dict[str, str] = {}  # variable -> the class of what is in it
        self._words: dict[str, Words] = {}  # variable -> the literal strings that it takes in turn

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._scopes.append({})
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            self._annotate(argument.arg, argument.annotation)
        if node.name not in self._probes:
            self.generic_visit(node)
        self._scopes.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            if owner := self._class_of(base):
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                self.found["derived"].update(Use(owner, item.name, self._file, item.lineno) for item in methods)
        self._scopes.append({})
        for field in node.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                self._annotate(f"self.{field.target.id}", field.annotation)
        self.generic_visit(node)
        self._scopes.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if name := variable(node.target):
            self._annotate(name, node.annotation)
        if node.value is not None:  # the annotation itself is not evaluated in a function
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for one, value in zip(target.elts, node.value.elts, strict=False):
                    self._assign(one, value)
            else:
                self._assign(target, node.value)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        name, owner = variable(target), self._class_of(value)
        if name and owner is not None:
            self._scope(name)[name] = owner
        if name and (words := literals(value)):
            self._words[name] = words

    def visit_For(self, node: ast.For) -> None:
        self._iterate(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._iterate(node.target, node.iter)
        self.generic_visit(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp) -> None:
        for generator in node.generators:  # they bind what the element before them uses
            self.visit(generator)
        self.generic_visit(node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp

    def visit_Attribute(self, node: ast.Attribute) -> None:
        owner = self._class_of(node.value)
        if owner is not None and not node.attr.startswith("__"):
            self._add("plain", owner, node.attr, node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = variable(node.func)
        if function in ("hasattr", "getattr") or function in self._probes:
            self._probe(node, "plain" if function == "getattr" and len(node.args) < 3 else "probed")
        elif node.args and (owner := self._class_of(node.args[0])) and owner in self._surface:
            self._derive(owner, node)
        self.generic_visit(node)

    def _derive(self, owner: str, node: ast.Call) -> None:
        """A call that is handed a class and a tuple of names makes an object of it with methods by these names."""
        for item in node.args[1:]:
            words = self._known(item) if not isinstance(item, ast.Constant) else Words()
            self.found["derived"].update(Use(owner, name, self._file, node.lineno) for name in words.values)

    def _probe(self, node: ast.Call, kind: str) -> None:
        owners = [owner for item in node.args if (owner := self._class_of(item)) is not None]
        if not owners:
            return
        names = [word for item in node.args[1:2] for word in self._known(item).values]
        for name in names:
            self._add(kind, owners[0], name, node)
        if not names:
            self._add("unclear", owners[0], ast.unparse(node), node)

    def _known(self, node: ast.expr | None) -> Words:
        """The strings that an expression can be, or can hold."""
        name = variable(node)
        return self._words.get(name, Words()) if name else literals(node)

    def _iterate(self, target: ast.expr, over: ast.expr) -> None:
        words = self._known(over)
        source = variable(over)
        if source and self._class_of(over) is None and isinstance(target, ast.Name) and source in self._scopes[-1]:
            self._scopes[-1][target.id] = self._elements.get(source)
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute):
            words = self._known(over.func.value)
            if over.func.attr == "items" and isinstance(target, ast.Tuple):
                for name, part in zip(target.elts, (words.keys, words.values), strict=False):
                    self._words[variable(name) or ""] = Words(part)
                return
            words = Words(words.values if over.func.attr == "values" else words.keys)
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self._words[node.id] = Words(words.keys or words.values)

    def _class_of(self, node: ast.expr) -> str | None:
        """The class of TensorRT's that an expression is, or is one of; "" for the module; None: another thing."""
        if isinstance(node, ast.Call):
            return self._called_class(node)
        if isinstance(node, ast.Attribute) and (owner := self._class_of(node.value)) is not None:
            return self._member_class(owner, node.attr)
        name = variable(node)
        if name is None:
            return None
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return CONVENTIONS.get(name.removeprefix("self.").lstrip("_"))

    def _called_class(self, node: ast.Call) -> str | None:
        function = node.func
        if isinstance(function, ast.Attribute) and (owner := self._class_of(function.value)) is not None:
            return self._member_class(owner, function.attr)
        if variable(function) == "getattr" and (owner := self._class_of(node.args[0])) is not None:
            return next((self._member_class(owner, name) for name in self._known(node.args[1]).values), None)
        holder = f"@{variable(function)}"
        return holder if holder in self._surface else None

    def _member_class(self, owner: str, name: str) -> str | None:
        nested = f"{owner}.{name}".lstrip(".")
        if nested in self._surface:
            return nested
        told = self._surface.get(owner, {}).get(name, "")
        return told if told in self._surface and told else None

    def _scope(self, name: str) -> dict[str, str | None]:
        """Where a variable is kept: this function, or the class that it is an attribute of."""
        return self._scopes[1 if name.startswith("self.") else -1]

    def _annotate(self, name: str, annotation: ast.expr | None) -> None:
        if annotation is None or name.endswith("trt"):
            return
        annotation = unquoted(annotation)
        holder = f"@{annotation.id}" if isinstance(annotation, ast.Name) else "@"
        if inner := element(annotation):
            self._elements[name] = inner
        self._scope(name)[name] = annotated(annotation) or (holder if holder in self._surface else None)

    def _add(self, kind: str, owner: str, name: str, node: ast.expr) -> None:
        if not owner.startswith("@"):
            self.found[kind].add(Use(owner, name, self._file, node.lineno))
