"""What the outputs of a model are after each step behind it, and which step cannot take them. Pure.

A step is about an output by its name; without one, about the only one that there is when it is its turn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jetfleet.pipeline.steps import CALLABLE, PipelineStep, numbers_of, text_of

Shape = tuple[int, ...]


@dataclass(frozen=True)
class StepFault:
    """`index` is the step's place; `unknown` a name that nothing has, `known` what there is."""

    index: int
    message: str
    expected: str
    unknown: str = ""
    known: tuple[str, ...] = ()


def answer_faults(steps: Sequence[PipelineStep], outputs: Mapping[str, Shape]) -> Iterator[StepFault]:
    """Of every step that cannot be, up to the first user's function, behind which nothing is known."""
    there = dict(outputs)
    for index, step in enumerate(steps):
        if step.step == CALLABLE:
            return
        fault = _name_fault(index, step, there) or _shape_fault(index, step, there)
        if fault:
            yield fault
        else:
            there.update(_after(step, there))


def _named(step: PipelineStep, there: Mapping[str, Shape]) -> list[str]:
    given = [text_of(step, key) for key in (("boxes", "scores") if step.step == "nms" else ("output",))]
    return [name or (next(iter(there)) if len(there) == 1 else "") for name in given]


def _name_fault(index: int, step: PipelineStep, there: Mapping[str, Shape]) -> StepFault | None:
    for name in _named(step, there):
        if not name:
            message = f"{step.step}: there are {len(there)} outputs, and which one is meant is not said"
            return StepFault(index, message, f"output: one of {', '.join(there)}")
        if name not in there:
            return StepFault(index, f"{step.step}: there is no output {name!r}", ", ".join(there), name, tuple(there))
    return None


def _shape_fault(index: int, step: PipelineStep, there: Mapping[str, Shape]) -> StepFault | None:
    shapes = [there[name] for name in _named(step, there)]
    if step.step == "nms":
        return _nms_fault(index, *shapes)
    (name,), (shape,) = _named(step, there), shapes
    return (_top_k_fault if step.step == "top_k" else _axis_fault)(index, step, name, shape)


def _top_k_fault(index: int, step: PipelineStep, name: str, shape: Shape) -> StepFault | None:
    k, most = int(numbers_of(step, "k")[0]), shape[-1] if shape else 0
    if k <= most:
        return None
    message = f"top_k: {k} of {name} {list(shape)}, which has {most} in each row"
    return StepFault(index, message, f"k: at most {most}" if most else "an output of rows of scores")


def _axis_fault(index: int, step: PipelineStep, name: str, shape: Shape) -> StepFault | None:
    axis = int(numbers_of(step, "axis")[0])
    if -len(shape) <= axis < len(shape):
        return None
    axes = f"axis: from {-len(shape)} to {len(shape) - 1}"
    return StepFault(
        index, f"{step.step}: {name} {list(shape)} has no axis {axis}", axes if shape else "an output of rows"
    )


def _nms_fault(index: int, boxes: Shape, scores: Shape) -> StepFault | None:
    if len(boxes) == 3 and boxes[2] == 4 and len(scores) in (2, 3) and scores[:2] == boxes[:2]:
        return None
    return StepFault(
        index,
        f"nms cannot take boxes {list(boxes)} and scores {list(scores)}",
        "[samples, rows, 4], and [samples, rows] or [samples, rows, classes]; a callable for other forms",
    )


def _after(step: PipelineStep, there: Mapping[str, Shape]) -> dict[str, Shape]:
    """What the step changes or adds."""
    name = _named(step, there)[0]
    shape = there[name]
    match step.step:
        case "top_k":
            rows = (*shape[:-1], int(numbers_of(step, "k")[0]))
            return {name: rows, f"{name}.classes": rows}
        case "argmax":
            axis = int(numbers_of(step, "axis")[0]) % len(shape)
            return {name: shape[:axis] + shape[axis + 1 :]}
        case "nms":
            return {"detections": ()}
        case _:
            return {}
