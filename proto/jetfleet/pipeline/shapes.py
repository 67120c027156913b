"""What a frame is after each step of a pipeline, from its size in the file to the tensor that the engine reads. Pure.

The workstation asks it before a job is submitted, where it knows the sizes of the frames and the model's input.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from jetfleet.pipeline.steps import CALLABLE, PipelineStep, numbers_of, size_of, text_of

FILE, HWC, CHW, UNKNOWN = "file", "hwc", "chw", "unknown"
# What is wrong, and what would not be; both empty: nothing is.
Told: TypeAlias = tuple[str, str]
_NOTHING: Told = ("", "")
# A file of a few kilobytes may promise pixels without end.
MOST_PIXELS = 128_000_000
_OF_PIXELS = ("resize", "crop", "pad", "color")


@dataclass(frozen=True)
class Frame:
    """`kind` is what it holds: a file's bytes, pixels in one of two layouts, or what only a user's function knows."""

    kind: str
    height: int = 0
    width: int = 0
    channels: int = 0
    dtype: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        if self.kind == CHW:
            return (self.channels, self.height, self.width)
        return (self.height, self.width, self.channels)

    def __str__(self) -> str:
        named = {FILE: "the bytes of a file", UNKNOWN: "what a function made"}
        return named.get(self.kind) or f"{self.dtype}{list(self.shape)}"


class StepMistake(ValueError):
    """A step that cannot follow the one before it; `index` is its place."""

    def __init__(self, index: int, message: str, expected: str) -> None:
        super().__init__(message)
        self.index, self.message, self.expected = index, message, expected


def trace(steps: Sequence[PipelineStep], frame: Frame) -> Iterator[Frame]:
    """The frame after each step. Raises StepMistake at the first that does not fit."""
    for index, step in enumerate(steps):
        fault, expected = _fault(step, frame)
        if fault:
            raise StepMistake(index, f"{step.step} cannot take {frame}: {fault}", expected)
        frame = _after(step, frame)
        yield frame


def fits(frame: Frame, shape: Sequence[int], *, dtype: str, batch: int) -> bool:
    """Whether `batch` frames are the engine's input; without a batch dimension, one frame is."""
    if frame.kind == UNKNOWN:
        return True
    if frame.kind == FILE or frame.dtype != dtype:
        return False
    return tuple(shape) == (batch, *frame.shape) or (batch == 1 and tuple(shape) == frame.shape)


def _fault(step: PipelineStep, frame: Frame) -> Told:
    """Why a step cannot take a frame, and what it could; empty: it can."""
    if step.step == CALLABLE or frame.kind == UNKNOWN:
        return _NOTHING
    if (step.step == "decode") != (frame.kind == FILE):
        if step.step == "decode":
            return "it is decoded already", "decode as the first step"
        return "it was not decoded", "decode, or a callable, as the first step"
    if step.step in _OF_PIXELS and frame.kind != HWC:
        return "its channels come first", f"{step.step} before layout: nchw"
    return _FAULTS[step.step](step, frame) if step.step in _FAULTS else _NOTHING


def _resize_fault(step: PipelineStep, frame: Frame) -> Told:
    if frame.dtype != "uint8":
        return "only uint8 pixels can be resized", "resize before normalise and cast"
    return _NOTHING


def _crop_fault(step: PipelineStep, frame: Frame) -> Told:
    height, width = size_of(step)
    if height > frame.height or width > frame.width:
        return f"it has no {height} x {width} pixels", "resize with `fit: cover` before it, or a smaller crop"
    return _NOTHING


def _pad_fault(step: PipelineStep, frame: Frame) -> Told:
    height, width = size_of(step)
    if height < frame.height or width < frame.width:
        return f"it is larger than {height} x {width}", "resize with `fit: inside` before it"
    return _NOTHING


def _color_fault(step: PipelineStep, frame: Frame) -> Told:
    return _NOTHING if frame.channels == 3 else (f"it has {frame.channels} channel", "three of them")


def _normalise_fault(step: PipelineStep, frame: Frame) -> Told:
    for name in ("mean", "std"):
        count = len(numbers_of(step, name))
        if count not in (1, frame.channels):
            return f"{name} has {count} numbers", f"1 of them, or {frame.channels}"
    return _NOTHING


def _after(step: PipelineStep, frame: Frame) -> Frame:
    if step.step == CALLABLE or frame.kind == UNKNOWN:
        return Frame(UNKNOWN)
    return _MADE[step.step](step, frame)


def _decoded(step: PipelineStep, frame: Frame) -> Frame:
    channels = 1 if text_of(step, "color") == "gray" else 3
    return replace(frame, kind=HWC, channels=channels, dtype="uint8")


def _of_size(step: PipelineStep, frame: Frame) -> Frame:
    height, width = size_of(step)
    return replace(frame, height=height, width=width)


def _resized(step: PipelineStep, frame: Frame) -> Frame:
    height, width = resized(frame.height, frame.width, size_of(step), fit=text_of(step, "fit"))
    return replace(frame, height=height, width=width)


def _laid_out(step: PipelineStep, frame: Frame) -> Frame:
    return replace(frame, kind=CHW if text_of(step, "to") == "nchw" else HWC)


_FAULTS: Mapping[str, Callable[[PipelineStep, Frame], Told]] = {
    "resize": _resize_fault,
    "crop": _crop_fault,
    "pad": _pad_fault,
    "color": _color_fault,
    "normalise": _normalise_fault,
}
_MADE: Mapping[str, Callable[[PipelineStep, Frame], Frame]] = {
    "decode": _decoded,
    "resize": _resized,
    "crop": _of_size,
    "pad": _of_size,
    "color": lambda step, frame: replace(frame, channels=1 if text_of(step, "to") == "gray" else 3),
    "normalise": lambda step, frame: replace(frame, dtype="float32"),
    "layout": _laid_out,
    "cast": lambda step, frame: replace(frame, dtype=text_of(step, "to")),
}


def resized(height: int, width: int, size: tuple[int, int], *, fit: str) -> tuple[int, int]:
    """Height and width of an image after a resize; the agent asks the same."""
    if fit == "stretch":
        return size
    scales = (size[0] / height, size[1] / width)
    scale = min(scales) if fit == "inside" else max(scales)
    return max(1, round(height * scale)), max(1, round(width * scale))
