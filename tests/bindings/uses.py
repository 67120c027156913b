"""Which names of TensorRT's bindings the code uses, and which it asks for first: taken from the code by its syntax.

What an object is follows from annotations (`config: trt.IBuilderConfig`), from the signatures in the bindings'
docstrings (`builder.create_network()` is an INetworkDefinition), and else from the name it goes by (`config`).
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODULE = ""  # the owner of what hangs on the module itself
CONVENTIONS = {
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
class Words:
    """Strings in a literal; `keys` are those of a dictionary."""

    values: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


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
    probes = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef) and _asks(node)}
    surface = {**surface, **_holders(node for node in nodes if isinstance(node, ast.ClassDef))}
    readers = []
    for path, tree in trees.items():
        reader = _Reader(str(path.relative_to(root)), surface, probes)
        reader.visit(tree)
        readers.append(reader)
    return Uses(*(frozenset(use for reader in readers for use in reader.found[kind]) for kind in _KINDS))


_KINDS = ("plain", "probed", "unclear", "derived")


def knows_tensorrt(path: Path) -> bool:
    """Whether a file has a variable by the name that TensorRT's module goes by everywhere."""
    names = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name | ast.arg))
    return any((node.id if isinstance(node, ast.Name) else node.arg) == "trt" for node in names)


class _Reader(ast.NodeVisitor):
    """Walks one file, in order, with what is known of the variables in sight."""

    def __init__(self, file: str, surface: Surface, probes: Mapping[str, ast.FunctionDef]) -> None:
        self.found: dict[str, set[Use]] = {kind: set() for kind in _KINDS}
        self._file, self._surface, self._probes = file, surface, probes
        self._scopes: list[dict[str, str | None]] = [{"trt": MODULE}]
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
        if name := _variable(node.target):
            self._annotate(name, node.annotation)
        if node.value is not None:  # the annotation itself is not evaluated in a function
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        owner = self._class_of(node.value)
        for target in node.targets:
            if (name := _variable(target)) and owner is not None:
                self._scope(name)[name] = owner
            if name and (words := _literals(node.value)):
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
        function = _variable(node.func)
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
        variable = _variable(node)
        return self._words.get(variable, Words()) if variable else _literals(node)

    def _iterate(self, target: ast.expr, over: ast.expr) -> None:
        words = self._known(over)
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute):
            words = self._known(over.func.value)
            if over.func.attr == "items" and isinstance(target, ast.Tuple):
                for name, part in zip(target.elts, (words.keys, words.values), strict=False):
                    self._words[_variable(name) or ""] = Words(part)
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
        name = _variable(node)
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
        return None

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
        if annotation is None or name == "trt":
            return
        annotation = _unquoted(annotation)
        holder = f"@{annotation.id}" if isinstance(annotation, ast.Name) else "@"
        self._scope(name)[name] = _annotated(annotation) or (holder if holder in self._surface else None)

    def _add(self, kind: str, owner: str, name: str, node: ast.expr) -> None:
        if not owner.startswith("@"):
            self.found[kind].add(Use(owner, name, self._file, node.lineno))


def _holders(classes: Iterable[ast.ClassDef]) -> dict[str, dict[str, str]]:
    """The code's own classes, as `@Name`, with those of their attributes that are annotated as TensorRT's."""
    found: dict[str, dict[str, str]] = {}
    for node in classes:
        fields = [item for item in ast.walk(node) if isinstance(item, ast.AnnAssign)]
        named = {(_variable(item.target) or "").removeprefix("self."): _annotated(item.annotation) for item in fields}
        found[f"@{node.name}"] = {name: owner for name, owner in named.items() if owner}
    return {name: fields for name, fields in found.items() if fields}


def _annotated(annotation: ast.expr) -> str | None:
    """`IBuilderConfig` of trt.IBuilderConfig, quoted or optional; None for a list or a callable of them."""
    annotation = _unquoted(annotation)
    if not isinstance(annotation, ast.Attribute | ast.BinOp):
        return None
    named = [ast.unparse(item) for item in ast.walk(annotation) if isinstance(item, ast.Attribute)]
    return max((item.removeprefix("trt.") for item in named if item.startswith("trt.")), key=len, default=None)


def _unquoted(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.parse(node.value, mode="eval").body
    return node


def _asks(node: ast.FunctionDef) -> bool:
    """Whether this is a function that asks its first argument for a name, its second."""
    if len(node.args.args) < 2:
        return False
    parameters = {argument.arg for argument in node.args.args}
    return any(set(_names(call.args)) <= parameters and len(call.args) > 1 for call in _asking(node))


def _asking(node: ast.FunctionDef) -> Iterator[ast.Call]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and _variable(call.func) in ("hasattr", "getattr"):
            yield call


def _names(nodes: Iterable[ast.expr]) -> Iterator[str]:
    return (node.id if isinstance(node, ast.Name) else "" for node in list(nodes)[:2])


def _variable(node: ast.expr | None) -> str | None:
    """`x`, or `self.x`: an object's own attributes are as good as variables here."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return f"self.{node.attr}"
    return None


def _literals(node: ast.expr | None) -> Words:
    """The strings in a literal, at any depth; of a dictionary, keys and values apart."""
    if isinstance(node, ast.Dict):
        return Words(_strings(node.values), _strings([key for key in node.keys if key is not None]))
    return Words(_strings([node])) if isinstance(node, ast.Constant | ast.Tuple | ast.List | ast.Set) else Words()


def _strings(nodes: Sequence[ast.expr]) -> tuple[str, ...]:
    inner = (item for node in nodes for item in ast.walk(node))
    return tuple(item.value for item in inner if isinstance(item, ast.Constant) and isinstance(item.value, str))
