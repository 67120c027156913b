"""`controller export`: a job file's model, exported or loaded, and held against its reference. Uploads nothing."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from controller.intake import child
from controller.intake.exchange import ModelError
from controller.intake.jobfile.spec import load_spec
from controller.intake.model_report import Checked
from controller.intake.prepare import MODEL_TIMEOUT_S, placed, request_for
from jetfleet.errors import BadInput, DiskFull


def check(
    job_file: Path,
    *,
    state_dir: Path,
    progress: Callable[[str], None],
    output: Path | None = None,
    timeout_s: float = MODEL_TIMEOUT_S,
) -> Checked:
    """Raises BadInput, TimeLimit, DiskFull. With `output`, an empty or new folder, the ONNX files are put there."""
    loaded = load_spec(job_file)
    if output is not None and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BadInput(f"{output} is there already", expected="a folder that is new or empty")
    cache = state_dir.absolute() / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix="model-", dir=cache))
    try:
        request = replace(request_for(loaded, cache, out), check=True)
        try:
            checked = child.run(request, timeout_s=timeout_s, progress=progress).checked
        except ModelError as error:
            raise placed(loaded, error) from error
        if checked is None:
            raise BadInput("the process that looked at the model did not check it")
        return _moved(checked, output) if output is not None else replace(checked, files=())
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _moved(checked: Checked, output: Path) -> Checked:
    try:
        output.mkdir(parents=True, exist_ok=True)
        moved = [shutil.move(file, output / Path(file).name) for file in checked.files]
    except OSError as error:
        raise DiskFull(f"{output}: {error.strerror}") from error
    return replace(checked, files=tuple(map(str, moved)))
