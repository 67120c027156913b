"""The files that a job file names: a path that leads nowhere is told before anything is exported."""

from collections.abc import Iterator

from controller.intake.jobfile.data import OwnMetric
from controller.intake.jobfile.frames import frame_files, refuse_damaged, trace_frames
from controller.intake.jobfile.function_names import names_in
from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.spec import LoadedJob
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps
from jetfleet.errors import BadInput
from jetfleet.pipeline.callables import file_of, function_of
from jetfleet.pipeline.steps import CALLABLE, text_of


def refuse_missing_files(loaded: LoadedJob) -> None:
    """Raises BadInput with every one that is missing, and with what the files of a pipeline cannot become."""
    mistakes = Mistakes()
    for steps, name in _named(loaded):
        if not (loaded.folder / name).exists():
            error = loaded.document.error(
                steps, f"{name} does not exist", expected=f"a file; paths start at {loaded.folder.absolute()}"
            )
            mistakes.add(error)
    for steps, reference in callable_places(loaded):
        if (loaded.folder / file_of(reference)).exists():
            with mistakes:
                _refuse_unknown_function(loaded, steps, reference)
    with mistakes:
        frames = frame_files(loaded)
        refuse_damaged(loaded, frames)
        trace_frames(loaded, frames)
    mistakes.refuse()


def callable_places(loaded: LoadedJob) -> list[tuple[Steps, str]]:
    """The user's own functions that the job names, FILE.py:FUNCTION, and where."""
    sides = {"pre": loaded.pipeline.pre, "post": loaded.pipeline.post} if loaded.pipeline is not None else {}
    found: list[tuple[Steps, str]] = []
    for side, steps in sides.items():
        own = [(index, step) for index, step in enumerate(steps) if step.step == CALLABLE and step.arguments]
        found += [(("pipeline", side, index), text_of(step, "function")) for index, step in own]
    for index, metric in enumerate(loaded.job.model.data.metrics or ()):
        if isinstance(metric, OwnMetric):
            name, reference = metric.said[0]
            found.append((("model", "data", "metrics", index, name), reference))
    return found


def _refuse_unknown_function(loaded: LoadedJob, steps: Steps, reference: str) -> None:
    """Raises BadInput where the file gives no such name, or is not Python."""
    name = function_of(reference)
    try:
        names = names_in(loaded.folder / file_of(reference))
    except BadInput as error:
        raise loaded.document.error(steps, error.message, expected=error.expected) from error
    if names is not None and name not in names.possible:
        raise loaded.document.error(
            steps,
            f"{file_of(reference)} has no function {name!r}",
            expected=", ".join(sorted(names.functions)) or "a function in that file",
            hint=nearest(name, names.possible),
        )


def _named(loaded: LoadedJob) -> Iterator[tuple[Steps, str]]:
    model = loaded.job.model
    if model.onnx:
        yield ("model", "onnx"), model.onnx
    for name in ("evaluation", "calibration"):
        if path := getattr(model.data, name):
            yield ("model", "data", name), path
    for name, section in model.inputs.items():
        if section.values and section.values.endswith((".npy", ".npz")):
            yield ("model", "inputs", name, "values"), section.values
    for steps, reference in callable_places(loaded):
        yield steps, file_of(reference)
