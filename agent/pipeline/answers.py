"""Steps behind the engine: from its outputs, of a whole batch, to the answer. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from agent.runtime.arrays import Tensor
from jetfleet.errors import BadInput
from jetfleet.pipeline.steps import PipelineStep, numbers_of, text_of

# By the names of the outputs, and what steps have added to them.
Answer: TypeAlias = Mapping[str, Any]
AnswerStep: TypeAlias = Callable[[Answer], Answer]

_APART = 1e5  # pixels between the boxes of two classes, so that they never overlap: larger than any image


def answer_step(step: PipelineStep) -> AnswerStep:
    return _STEPS[step.step](step)


def _softmax(step: PipelineStep) -> AnswerStep:
    named, axis = text_of(step, "output"), int(numbers_of(step, "axis")[0])

    def softmax(answer: Answer) -> Answer:
        name = _name(answer, named, step.step)
        scores = answer[name].astype(np.float32)
        powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
        return {**answer, name: powers / powers.sum(axis=axis, keepdims=True)}

    return softmax


def _top_k(step: PipelineStep) -> AnswerStep:
    named, most = text_of(step, "output"), int(numbers_of(step, "k")[0])

    def top_k(answer: Answer) -> Answer:
        name = _name(answer, named, step.step)
        scores = answer[name]
        count = min(most, scores.shape[-1])
        found = np.argpartition(scores, scores.shape[-1] - count, axis=-1)[..., -count:]
        picked = np.take_along_axis(scores, found, axis=-1)
        order = np.argsort(-picked, axis=-1, kind="stable")
        classes, values = (np.take_along_axis(item, order, axis=-1) for item in (found, picked))
        return {**answer, name: values, f"{name}.classes": classes}

    return top_k


def _argmax(step: PipelineStep) -> AnswerStep:
    named, axis = text_of(step, "output"), int(numbers_of(step, "axis")[0])

    def argmax(answer: Answer) -> Answer:
        name = _name(answer, named, step.step)
        return {**answer, name: answer[name].argmax(axis=axis)}

    return argmax


def _nms(step: PipelineStep) -> AnswerStep:
    names = {key: text_of(step, key) for key in ("boxes", "scores")}
    iou, least = numbers_of(step, "iou")[0], numbers_of(step, "score")[0]
    most, corners = int(numbers_of(step, "most")[0]), text_of(step, "format") == "xyxy"

    def nms(answer: Answer) -> Answer:
        boxes, scores = (answer[_name(answer, names[key], step.step)] for key in ("boxes", "scores"))
        if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.shape[:2] != boxes.shape[:2]:
            raise BadInput(
                f"nms of boxes {list(boxes.shape)} and scores {list(scores.shape)}",
                expected="[samples, rows, 4], and [samples, rows] or [samples, rows, classes]",
            )
        made = boxes if corners else _as_corners(boxes)
        found = [_kept(made[at], scores[at], iou=iou, least=least, most=most) for at in range(len(made))]
        return {**answer, "detections": found}

    return nms


def _kept(boxes: Tensor, scores: Tensor, *, iou: float, least: float, most: int) -> Tensor:
    """Rows of x1, y1, x2, y2, score, class, best first: those that no better one of their class overlaps too much."""
    by_class = scores if scores.ndim == 2 else scores[:, None]
    rows, classes = np.nonzero(by_class >= least)
    values = by_class[rows, classes]
    order = np.argsort(-values, kind="stable")
    rows, classes, values = rows[order], classes[order], values[order]
    chosen = boxes[rows].astype(np.float32)
    apart = chosen.astype(np.float64) + _APART * classes[:, None]
    areas = np.prod(np.maximum(chosen[:, 2:] - chosen[:, :2], 0), axis=1)
    kept: list[int] = []
    left = np.arange(len(rows))
    while len(left) and len(kept) < most:
        first, others = left[0], left[1:]
        kept.append(int(first))
        corner = np.minimum(apart[first, 2:], apart[others, 2:]) - np.maximum(apart[first, :2], apart[others, :2])
        shared = np.prod(np.maximum(corner, 0), axis=1)
        both = areas[first] + areas[others] - shared
        left = others[shared <= iou * np.maximum(both, 1e-12)]
    return np.column_stack([chosen[kept], values[kept], classes[kept]]).astype(np.float32)


def _as_corners(boxes: Tensor) -> Tensor:
    """Boxes of centre and size."""
    half = boxes[..., 2:] / 2
    made: Tensor = np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)
    return made


def _name(answer: Answer, named: str, step: str) -> str:
    """The output that a step is about, never one of several by its place."""
    name = named or (next(iter(answer)) if len(answer) == 1 else "")
    if name not in answer:
        said = f"there is no output {named!r}" if named else "which output it takes is not said"
        raise BadInput(f"{step}: {said}", where="pipeline.post", expected=", ".join(answer) or "an output")
    return name


_STEPS: Mapping[str, Callable[[PipelineStep], AnswerStep]] = {
    "softmax": _softmax,
    "top_k": _top_k,
    "argmax": _argmax,
    "nms": _nms,
}
