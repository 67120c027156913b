"""The files that a job file names: a path that leads nowhere is told before anything is exported."""

from collections.abc import Iterator

from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.spec import LoadedJob
from controller.intake.jobfile.yaml import Steps


def refuse_missing_files(loaded: LoadedJob) -> None:
    """Raises BadInput with every one that is missing."""
    mistakes = Mistakes()
    for steps, name in _named(loaded):
        if not (loaded.folder / name).exists():
            error = loaded.document.error(
                steps, f"{name} does not exist", expected=f"a file; paths start at {loaded.folder.absolute()}"
            )
            mistakes.add(error)
    mistakes.refuse()


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
