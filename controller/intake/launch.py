"""Starts the model child with this package under a private name: `controller` and `agent` are the user's to import.

Run by path, because `-m` would import the package under its public name. A user's model may live in a package of
their own that is called `controller`; two packages of one name cannot be in one process, so ours is loaded as
`jetfleet_controller`, and every import of it in its sources, whenever it is executed, is read as one of that name.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

PUBLIC, PRIVATE = "controller", "jetfleet_controller"
_HERE = Path(__file__).resolve().parent
_PACKAGE = _HERE.parent


class _Loader(SourceFileLoader):
    """Reads the sources and the cached bytecode that the public name has, too, and renames what they import."""

    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        return None if code is None else _privately(code)


class PrivateFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == PRIVATE:  # without its __init__, which is the public API: the child needs none of it
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(_PACKAGE)]
            return spec
        if not fullname.startswith(f"{PRIVATE}."):
            return None
        base = _PACKAGE.joinpath(*fullname.split(".")[1:])
        file = base / "__init__.py" if base.is_dir() else base.with_name(f"{base.name}.py")
        if not file.is_file():
            return None
        folders = [str(base)] if base.is_dir() else None
        loader = _Loader(fullname, str(file))
        return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=folders)


def _privately(code: CodeType) -> CodeType:
    """The code with every `controller` and `controller.x` among its names made private, in the functions inside too."""
    names = tuple(_private(name) if name.partition(".")[0] == PUBLIC else name for name in code.co_names)
    constants = tuple(_privately(item) if isinstance(item, CodeType) else item for item in code.co_consts)
    return code.replace(co_names=names, co_consts=constants)


def _private(name: str) -> str:
    return PRIVATE + name.removeprefix(PUBLIC)


def main(arguments: list[str]) -> int:
    # A script's folder is on the path: what lies here must not be found as top-level modules.
    if sys.path and Path(sys.path[0]).resolve() == _HERE:
        del sys.path[0]
    sys.meta_path.insert(0, PrivateFinder())
    code: int = import_module(f"{PRIVATE}.intake.worker").main(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
