"""Two kinds of import rule that import-linter lacks: who may import a module or library, and no circles.

Both look at direct imports, those inside functions too. Detours to a library are for `forbidden` contracts.
"""

import sys
from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def _is_within(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


class ListedImporters(Contract):
    """Reads the table `[tool.importlinter.importers]`: a module or library, and the rooms that may import it.

    Denied by default: a library without a line, and a room of either half without one. A room that ends in `.__init__`
    stands for that one module and not for what is below it.
    """

    type_name = "listed_importers"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        faults = sorted({*self._unlisted(graph), *self._denied(graph)})
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for fault in check.metadata["faults"]:
            output.print_error(fault)

    @property
    def _table(self) -> dict[str, list[str]]:
        table: dict[str, list[str]] = self.session_options["importers"]
        return table

    def _unlisted(self, graph: ImportGraph) -> Iterator[str]:
        roots = self.session_options["root_packages"]
        for module in graph.modules:
            first = module.partition(".")[0]
            is_library = first not in roots and first not in sys.stdlib_module_names
            is_room = first in ("controller", "agent") and module.count(".") == 1
            if (is_library or is_room) and module not in self._table:
                yield f"{module} has no line in [tool.importlinter.importers]"

    def _denied(self, graph: ImportGraph) -> Iterator[str]:
        for target, rooms in self._table.items():
            for imported in graph.modules:
                if _is_within(imported, target):
                    for importer in graph.find_modules_that_directly_import(imported):
                        if not _may(importer, [target, *rooms]):
                            yield f"{importer} imports {imported}, which {', '.join(rooms) or 'nobody'} may import"


def _may(importer: str, rooms: list[str]) -> bool:
    return any(_is_within(importer, room) or f"{importer}.__init__" == room for room in rooms)


class NoCircles(Contract):
    """No module imports itself by way of others, whether at its top or within a function."""

    type_name = "no_circles"
    known = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        roots = self.session_options["root_packages"]
        own = {module for module in graph.modules if module.partition(".")[0] in roots}
        imports = {module: graph.find_modules_directly_imported_by(module) & own for module in own}
        left = _in_circles(imports) - set(self.known or ())
        return ContractCheck(kept=not left, metadata={"left": sorted(left)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        output.print_error("These modules import each other in a circle: " + ", ".join(check.metadata["left"]))


def _in_circles(imports: dict[str, set[str]]) -> set[str]:
    """What stays when modules that import nothing that stays, or that nothing that stays imports, are taken away."""
    left = set(imports)
    while True:
        imported = {target for module in left for target in imports[module]}
        kept = {module for module in left if imports[module] & left and module in imported}
        if kept == left:
            return left
        left = kept
