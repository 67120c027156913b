"""`controller export`: a job file's model, exported or loaded, and held against its reference. Uploads nothing."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from controller.intake.child import MODEL_TIMEOUT_S, model_answer
from controller.intake.jobfile.spec import load_spec
from controller.intake.model_report import ModelReport
from jetfleet.errors import BadInput, Infrastructure


def check(
    job_file: Path,
    *,
    state_dir: Path,
    progress: Callable[[str], None],
    output: Path | None = None,
    timeout_s: float = MODEL_TIMEOUT_S,
) -> ModelReport:
    """Raises BadInput, TimeLimit, Infrastructure. `output`: an empty or new folder, where the ONNX files are put."""
    loaded = load_spec(job_file)
    if output is not None and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BadInput(f"{output} is there already", expected="a folder that is new or empty")
    cache = state_dir.absolute() / "cache"
    with model_answer(loaded, cache=cache, progress=progress, timeout_s=timeout_s, check=True) as answer:
        report = answer.report
        if report is None:
            raise BadInput("the process that looked at the model did not check it")
        return _move(report, output) if output is not None else replace(report, files=())


def _move(report: ModelReport, output: Path) -> ModelReport:
    try:
        output.mkdir(parents=True, exist_ok=True)
        moved = [shutil.move(file, output / Path(file).name) for file in report.files]
    except OSError as error:
        raise Infrastructure(f"cannot be written: {error.strerror}", where=str(output)) from error
    return replace(report, files=tuple(map(str, moved)))
