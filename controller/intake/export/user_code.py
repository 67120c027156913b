"""The user's Python: imported, called, and blamed by file and line instead of by stack trace. Knows no torch."""

import importlib
import inspect
import os
import site
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps
from jetfleet import errors

_AT: Steps = ("model", "torch")
_LIBRARIES = tuple(
    str(Path(folder).resolve())
    for folder in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
)
# The controller and the contract, which an editable installation keeps outside of the libraries' folders.
_OURS = (f"{Path(__file__).resolve().parents[2]}{os.sep}", f"{Path(errors.__file__).resolve().parent}{os.sep}")


def import_callable(entry: str, folder: Path) -> Callable[..., object]:
    """MODULE:CALLABLE, looked for in the job file's folder first, then where Python looks. Raises ModelError."""
    module_name, _, name = entry.partition(":")
    for extra in (str(Path.cwd()), str(folder)):
        if extra in sys.path:
            sys.path.remove(extra)
        sys.path.insert(0, extra)
    module = _import(module_name, folder)
    found: object = getattr(module, name, None)
    if found is None:
        public = [word for word, value in vars(module).items() if callable(value) and not word.startswith("_")]
        raise ModelError(
            f"module {module_name} has no {name!r}",
            steps=_AT,
            expected=f"one of {', '.join(public[:20]) or 'its callables, and it has none'}",
            hint=nearest(name, public),
        )
    if not callable(found):
        kind = type(found).__name__
        raise ModelError(f"{entry} is a {kind}", steps=_AT, expected="a callable that returns a torch.nn.Module")
    return found


def call(entry: str, function: Callable[..., object], arguments: Mapping[str, object]) -> object:
    """Calls the user's function. Raises ModelError, whatever it raises."""
    try:
        return function(**arguments)
    except BaseException as error:
        raise blame(error, f"{entry.partition(':')[2]}() raised", fallback=_AT) from error


def blame(error: BaseException, what: str, *, fallback: Steps) -> ModelError:
    """The user's line nearest to the failure, or the place in job.yaml if no line of theirs was involved."""
    text = " ".join(str(error).split())[:500]
    message = f"{what} {type(error).__name__}{f': {text}' if text else ''}"
    if isinstance(error, SyntaxError) and error.filename and is_users(error.filename):
        return ModelError(message, where=f"{error.filename}:{error.lineno}:{error.offset}")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users(frame.filename)]
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return ModelError(message, steps=fallback, where=where)


def is_users(file: str) -> bool:
    """Whether a source file is neither Python's, nor a library's, nor of this package."""
    path = str(Path(file).resolve())
    return Path(path).is_file() and not path.startswith((*_LIBRARIES, *_OURS))


def sources() -> dict[str, Path]:
    """Every imported module outside of the libraries: its name and its source file."""
    found = {}
    for name, module in list(sys.modules.items()):
        try:
            file = inspect.getsourcefile(module)
        except TypeError:
            continue
        if file is not None and is_users(file):
            found[name] = Path(file)
    return found


def _import(name: str, folder: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise blame(error, f"importing {name} raised", fallback=_AT) from error
        here = sorted(path.stem for path in folder.glob("*.py"))
        raise ModelError(
            f"there is no module {error.name!r}",
            steps=_AT,
            expected=f"a module in {folder}, in the working directory, or installed",
            hint=nearest(name, here),
        ) from error
    except BaseException as error:
        raise blame(error, f"importing {name} raised", fallback=_AT) from error
