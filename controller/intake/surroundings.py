"""What stands around a job's engines: its pipeline fitted to the model, and the files that travel for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from controller.intake.answer_steps import answer_faults
from controller.intake.exchange import ModelAnswer
from controller.intake.jobfile.frames import TracedFrame, frame_files, trace_frames
from controller.intake.jobfile.matrix import VariantPoint
from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.named_files import callable_places
from controller.intake.jobfile.spec import LoadedJob
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps
from controller.model.job import Role, TensorSpec
from jetfleet.pipeline.callables import file_of
from jetfleet.pipeline.shapes import fits
from jetfleet.pipeline.steps import Pipeline

_INFLIGHT = "inflight"


def files_around(loaded: LoadedJob) -> Iterator[tuple[Role, str, Path]]:
    """Frames in their order, and each file of the user's code once."""
    for index, path in enumerate(frame_files(loaded)):
        yield Role.FRAME, f"{index:03d}-{path.name}", path
    for name in dict.fromkeys(file_of(reference) for _, reference in callable_places(loaded)):
        yield Role.CALLABLE, name, loaded.folder / name


def fitted_pipeline(
    loaded: LoadedJob, answer: ModelAnswer, shapes: Mapping[VariantPoint, Sequence[TensorSpec]]
) -> Pipeline | None:
    """The pipeline with the input that it fills. Raises BadInput with everything in it that does not fit the model."""
    pipeline = loaded.pipeline
    if pipeline is None:
        return None
    mistakes = Mistakes()
    tensor = ""
    with mistakes:
        tensor = _tensor(loaded, pipeline, answer)
    frames = trace_frames(loaded, frame_files(loaded)) if tensor else []
    for point, inputs in shapes.items():
        with mistakes:
            _refuse_unfit(loaded, frames, point, [item for item in inputs if item.name == tensor])
        with mistakes:
            _refuse_ahead(loaded, point)
    for fault in answer_faults(pipeline.post, {item.name: item.shape for item in answer.outputs}):
        place: Steps = ("pipeline", "post", fault.index)
        hint = nearest(fault.unknown, fault.known)
        mistakes.add(loaded.document.error(place, fault.message, expected=fault.expected, hint=hint))
    mistakes.refuse()
    return replace(pipeline, tensor=tensor)


def _tensor(loaded: LoadedJob, pipeline: Pipeline, answer: ModelAnswer) -> str:
    names = [item.name for item in answer.inputs]
    if pipeline.tensor in names:
        return pipeline.tensor
    if pipeline.tensor:
        hint = nearest(pipeline.tensor, names)
        message = f"the model has no input {pipeline.tensor!r}"
        raise loaded.document.error(("pipeline", "tensor"), message, expected=", ".join(names), hint=hint)
    if len(names) == 1:
        return names[0]
    message = f"the model has {len(names)} inputs, and which one the frames become is not said"
    raise loaded.document.error(("pipeline",), message, expected=f"tensor: one of {', '.join(names)}")


def _refuse_unfit(
    loaded: LoadedJob, frames: Sequence[TracedFrame], point: VariantPoint, inputs: Sequence[TensorSpec]
) -> None:
    for item, wanted in product(frames, inputs):
        if fits(item.frame, wanted.shape, dtype=wanted.dtype, batch=point.batch):
            continue
        shown = f"{wanted.dtype}{list(wanted.shape)}"
        raise loaded.document.error(
            ("pipeline", "pre"),
            f"{item.path.name} becomes {item.frame}, and {wanted.name} of {point.key} takes {shown}",
            expected=f"steps that end in {wanted.dtype}{list(wanted.shape[1:] or wanted.shape)} for each frame",
        )


def _refuse_ahead(loaded: LoadedJob, point: VariantPoint) -> None:
    """Two inferences in flight have no begin and end of their own that steps could stand around."""
    options = {**loaded.job.options.text(point.runtime), **dict(point.options)}
    if options.get(_INFLIGHT, "1") != "1":
        place: Steps = ("options", point.runtime, _INFLIGHT)
        raise loaded.document.error(place, f"inflight: {options[_INFLIGHT]} beside a pipeline", expected="inflight: 1")
