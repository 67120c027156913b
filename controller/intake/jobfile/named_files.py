"""The files that a job file names: a path that leads nowhere is told before anything is exported."""

from collections.abc import Iterator

from controller.intake.jobfile.data import OwnMetric
from controller.intake.jobfile.frames import frame_files, trace_frames
from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.spec import LoadedJob
from controller.intake.jobfile.yaml import Steps
from jetfleet.pipeline.callables import file_of
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
    with mistakes:
        trace_frames(loaded, frame_files(loaded))
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
