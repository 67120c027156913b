"""From a job's keyword arguments to a job that can be submitted; `prepare` does the same from a file."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from controller.intake.child import bad_input, request_for
from controller.intake.jobfile.arguments import document_of
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.spec import LoadedJob, load_document
from controller.intake.prepare import PreparedJob, prepare_loaded
from jetfleet.errors import BadInput


def prepare_arguments(
    model: object, arguments: Mapping[str, Any], *, state_dir: Path, progress: Callable[[str], None]
) -> PreparedJob:
    """`model` is a path to an ONNX file, MODULE:CALLABLE, or an nn.Module, which is exported in this process.

    Relative paths start at the working directory. Raises BadInput, TimeLimit, DiskFull.
    """
    if isinstance(model, str | Path):
        return prepare_loaded(_load(str(model), arguments), state_dir=state_dir, progress=progress)
    torch = sys.modules.get("torch")  # whoever has a module has imported it
    if torch is None or not isinstance(model, torch.nn.Module):
        raise BadInput(
            f"{type(model).__name__} is not a model",
            where="submit(model)",
            expected="a path to an ONNX file, MODULE:CALLABLE, or a torch.nn.Module",
        )
    loaded = _load(f"{type(model).__name__}.onnx", arguments)
    cache = state_dir.absolute() / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="module-", dir=cache))
    try:
        onnx = _export(model, loaded, cache, folder, progress)
        return prepare_loaded(loaded, state_dir=state_dir, progress=progress, onnx=onnx)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(model: str, arguments: Mapping[str, Any]) -> LoadedJob:
    return load_document(Path.cwd() / "submit()", document_of({"model": model, **arguments}))


def _export(model: Any, loaded: LoadedJob, cache: Path, folder: Path, progress: Callable[[str], None]) -> Path:
    from controller.intake.export.module_object import export_module

    try:
        return export_module(model, request_for(loaded, cache, folder), folder / "model", progress)
    except ModelError as error:
        raise bad_input(loaded, error) from error
