"""The model child, from a job file to its answer: a folder for its files, a request, and its errors placed."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.intake import child_process, required_graphs
from controller.intake.exchange import ModelAnswer, ModelRequest
from controller.intake.jobfile import matrix
from controller.intake.jobfile.data import accuracy_metrics
from controller.intake.jobfile.inputs import input_request
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.spec import LoadedJob
from jetfleet.errors import BadInput

MODEL_TIMEOUT_S = 1800.0
MEMORY_SHARE = 3 / 4


@contextmanager
def model_answer(
    loaded: LoadedJob,
    *,
    cache: Path,
    progress: Callable[[str], None],
    timeout_s: float,
    check: bool = False,
    onnx: Path | None = None,
) -> Iterator[ModelAnswer]:
    """What the child made of the job file's model; its files are there until the end of the block.

    `check`: only hold the model against its reference. `onnx`: where its ONNX file lies, if not where the job says.
    Raises BadInput, TimeLimit.
    """
    cache.mkdir(parents=True, exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix="model-", dir=cache))
    try:
        try:
            answer = child_process.run(
                request_for(loaded, cache, out, check=check, onnx=onnx), timeout_s=timeout_s, progress=progress
            )
        except ModelError as error:
            raise bad_input(loaded, error) from error
        yield answer
    finally:
        shutil.rmtree(out, ignore_errors=True)


def bad_input(loaded: LoadedJob, error: ModelError) -> BadInput:
    """The error with its place in the job file."""
    where = error.where or loaded.document.where(error.steps)
    return BadInput(error.message, where=where, expected=error.expected, hint=error.hint)


def request_for(
    loaded: LoadedJob, cache: Path, out: Path, *, check: bool = False, onnx: Path | None = None
) -> ModelRequest:
    model, variants = loaded.job.model, loaded.job.variants
    return ModelRequest(
        folder=str(loaded.folder.absolute()),
        torch=model.torch or "",
        onnx=str(onnx.absolute()) if onnx is not None else model.onnx or "",
        args=dict(model.args),
        inputs={name: input_request(section) for name, section in model.inputs.items()},
        evaluation=model.data.evaluation or "",
        accuracy_output=model.data.output or "",
        accuracy_metrics=tuple(item.name for item in accuracy_metrics(model.data) if not item.function),
        calibration=model.data.calibration or "",
        lower=required_graphs.lowering_requests(loaded),
        batches=matrix.batch_places(variants),
        own_batch=variants.batch is None,
        seed=loaded.job.export.seed,
        opset=loaded.job.export.opset,
        exporter=loaded.job.export.exporter,
        export_cache=str(cache / "exports"),
        lowering_cache=str(cache / "lowered"),
        out=str(out),
        memory_bytes=int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE),
        float32_steps=required_graphs.float32_steps(loaded),
        dims=tuple(dict.fromkeys(point.dims for point in loaded.points)),
        check=check,
    )
