"""ONE declaration of every step of a pipeline: its parameters, their ranges and defaults, and where it may stand.

The workstation's parser, its JSON Schema and the documents, and the agent that runs the steps derive from it. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CALLABLE = "callable"
INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
DTYPES = ("float32", "float16", "uint8", "int8", "int32", "int64")


@dataclass(frozen=True)
class StepArgument:
    """A parameter as it was given: numbers, or a text."""

    name: str
    numbers: tuple[float, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class PipelineStep:
    """A step by its name in `PRE` or `POST`, with what was said of it."""

    step: str
    arguments: tuple[StepArgument, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """What is done to each frame before the engine, whose input `tensor` it fills, and to what the engine answers."""

    tensor: str
    pre: tuple[PipelineStep, ...]
    post: tuple[PipelineStep, ...] = ()

    @property
    def callables(self) -> tuple[str, ...]:
        """The user's own functions in it, FILE:FUNCTION."""
        return tuple(text_of(item, "function") for item in (*self.pre, *self.post) if item.step == CALLABLE)


@dataclass(frozen=True)
class Parameter:
    """Numbers within bounds, `least` to `most` of them in a list; with `words` or `is_text` a text instead.

    `default` is None where a value must be given.
    """

    name: str
    default: tuple[float, ...] | str | None = None
    words: tuple[str, ...] = ()
    is_text: bool = False
    whole: bool = False
    low: float = float("-inf")
    high: float = float("inf")
    least: int = 1
    most: int = 1
    meaning: str = ""

    @property
    def takes_text(self) -> bool:
        return self.is_text or bool(self.words)

    @property
    def expected(self) -> str:
        """What its values are, for people."""
        if self.words:
            return ", ".join(self.words)
        if self.is_text:
            return self.meaning or "text"
        kind = "whole number" if self.whole else "number"
        bounds = "" if self.low == float("-inf") else f" from {self.low:g}"
        bounds += "" if self.high == float("inf") else f" to {self.high:g}"
        if self.most == 1:
            return f"a {kind}{bounds}"
        return f"{self.least} to {self.most} {kind}s{bounds}"

    def fault(self, value: tuple[float, ...] | str) -> str:
        """Why a value cannot be; empty: it can."""
        if isinstance(value, str) != self.takes_text:
            return "is of the wrong kind"
        if isinstance(value, str):
            return "" if value and (not self.words or value in self.words) else "is not a choice"
        if not self.least <= len(value) <= self.most:
            return f"has {len(value)} numbers"
        if any(not self.low <= number <= self.high for number in value):
            return "is out of range"
        return "is not whole" if self.whole and any(number != int(number) for number in value) else ""


@dataclass(frozen=True)
class StepSpec:
    """`main` is the parameter that a step's value is, where it is not a mapping: `{crop: [224, 224]}`."""

    meaning: str
    parameters: tuple[Parameter, ...] = ()
    main: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.parameters)


_SIZE = Parameter("size", whole=True, low=1, high=16384, most=2, meaning="height and width, or one number for both")
_FUNCTION = Parameter("function", is_text=True, meaning="FILE.py:FUNCTION")
_OUTPUT = Parameter("output", default="", is_text=True, meaning="an output of the model; default: its only one")
_AXIS = Parameter("axis", default=(-1,), whole=True, low=-8, high=8)

PRE: Mapping[str, StepSpec] = {
    "decode": StepSpec(
        "the bytes of a JPEG or PNG file to pixels: uint8, height x width x channels",
        (Parameter("color", default="rgb", words=("rgb", "gray")),),
        main="color",
    ),
    "resize": StepSpec(
        "to a size; inside: the whole image fits in it, cover: it fills it, both with the image's proportions",
        (
            _SIZE,
            Parameter("fit", default="stretch", words=("stretch", "inside", "cover")),
            Parameter("interpolation", default="bilinear", words=INTERPOLATIONS),
        ),
        main="size",
    ),
    "crop": StepSpec("the middle of the image", (_SIZE,), main="size"),
    "pad": StepSpec(
        "a border up to a size (a letterbox after `fit: inside`)",
        (
            _SIZE,
            Parameter("value", default=(0,), low=-65504, high=65504),
            Parameter("align", default="center", words=("center", "corner")),
        ),
        main="size",
    ),
    "color": StepSpec("the order of colours", (Parameter("to", words=("rgb", "bgr", "gray")),), main="to"),
    "normalise": StepSpec(
        "(x * scale - mean) / std, to float32; mean and std one number, or one for each channel",
        (
            Parameter("scale", default=(1,)),
            Parameter("mean", default=(0,), most=4),
            Parameter("std", default=(1,), low=1e-9, high=1e9, most=4),
        ),
        main="scale",
    ),
    "layout": StepSpec(
        "nchw: channels before height and width; nhwc: behind them",
        (Parameter("to", words=("nchw", "nhwc")),),
        main="to",
    ),
    "cast": StepSpec("to another type", (Parameter("to", words=DTYPES),), main="to"),
    CALLABLE: StepSpec(
        "a function of your own, called with what the step before made (the first one: the file's bytes)",
        (_FUNCTION,),
        main="function",
    ),
}

POST: Mapping[str, StepSpec] = {
    "softmax": StepSpec("scores to probabilities", (_OUTPUT, _AXIS), main="output"),
    "top_k": StepSpec(
        "the k highest scores of each sample, with their classes",
        (Parameter("k", default=(5,), whole=True, low=1, high=100_000), _OUTPUT),
        main="k",
    ),
    "argmax": StepSpec("the index of the highest score along an axis", (_OUTPUT, _AXIS), main="output"),
    "nms": StepSpec(
        "non-maximum suppression: boxes [samples, rows, 4], scores [samples, rows] or [samples, rows, classes]",
        (
            Parameter("boxes", is_text=True, meaning="the output that holds the boxes"),
            Parameter("scores", is_text=True, meaning="the output that holds the scores"),
            Parameter("iou", default=(0.45,), low=0, high=1),
            Parameter("score", default=(0.25,), low=0, high=1),
            Parameter("most", default=(100,), whole=True, low=1, high=10_000),
            Parameter("format", default="xyxy", words=("xyxy", "cxcywh")),
        ),
    ),
    CALLABLE: StepSpec(
        "a function of your own, called with a dict of the outputs, or what the step before made of them",
        (_FUNCTION,),
        main="function",
    ),
}


def text_of(step: PipelineStep, name: str) -> str:
    """A text parameter of a step, or its default."""
    value = _value(step, name)
    if not isinstance(value, str):
        raise TypeError(f"{step.step}.{name} is not a text")
    return value


def numbers_of(step: PipelineStep, name: str) -> tuple[float, ...]:
    """The numbers of a parameter of a step, or its default."""
    value = _value(step, name)
    if isinstance(value, str):
        raise TypeError(f"{step.step}.{name} is a text")
    return value


def size_of(step: PipelineStep) -> tuple[int, int]:
    """Height and width."""
    numbers = numbers_of(step, "size")
    return int(numbers[0]), int(numbers[-1])


def _value(step: PipelineStep, name: str) -> tuple[float, ...] | str:
    spec = PRE.get(step.step) or POST[step.step]
    parameter = next(item for item in spec.parameters if item.name == name)
    for given in step.arguments:
        if given.name == name:
            return given.text if parameter.takes_text else given.numbers
    if parameter.default is None:
        raise KeyError(f"{step.step} without {name}")
    return parameter.default
