"""What the CLI's process and the model child tell each other, as plain data in two JSON files. Imports nothing big."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from controller.intake.jobfile.yaml import Steps
from controller.intake.model_report import Checked, read_checked
from controller.model.job import Precision, Role

Dim: TypeAlias = int | Literal["batch"]
# Dimensions that have a size here and are open in the graph: index and name.
Axes: TypeAlias = tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Asked:
    """What job.yaml says of one input; None: nothing."""

    shape: tuple[Dim, ...] | None = None
    dtype: str | None = None
    values: str | None = None
    axes: Axes = ()


@dataclass(frozen=True)
class Input:
    """An input of the model with nothing left open but the batch size."""

    name: str
    dtype: str
    dims: tuple[Dim, ...]
    values: str | None = None
    axes: Axes = ()

    def shape(self, batch: int) -> tuple[int, ...]:
        return tuple(batch if dim == "batch" else dim for dim in self.dims)

    @property
    def open(self) -> dict[int, str]:
        """Dimensions that the graph leaves open, by name."""
        return {index: "batch" for index, dim in enumerate(self.dims) if dim == "batch"} | dict(self.axes)


@dataclass(frozen=True)
class ToLower:
    """A precision that the FP32 graph is lowered to, what asked for it, and how far from FP32 it may answer."""

    precision: Precision
    steps: Steps
    checked: bool
    min_cosine: float
    min_agreement: float
    base: Precision = Precision.FP16  # the floats of the graph: what INT8's Q/DQ pairs stand over
    typed: bool = False  # whether a strongly typed builder (TensorRT) gets it


@dataclass(frozen=True)
class Request:
    """One model to look at. Paths are absolute but those of data, `onnx` and values: they start at `folder`."""

    folder: str
    torch: str
    onnx: str
    args: dict[str, Any]
    inputs: dict[str, Asked]
    evaluation: str
    calibration: str
    lower: tuple[ToLower, ...]
    batches: tuple[tuple[int, Steps], ...]  # asked for, and where
    own_batch: bool  # whether some variant leaves the batch to the graph
    seed: int
    opset: int
    exporter: str
    cache: str
    lowered: str  # the cache of lowered graphs, as `cache` is that of exports
    out: str
    memory_bytes: int
    unlowered: Steps = ()  # what asks for float32; empty: nothing does
    check: bool = False  # only hold the model against its reference


@dataclass(frozen=True)
class MadeFile:
    """A file that variants need; `batch`, `precision` and `base` (the floats under Q/DQ) None: every variant does."""

    role: Role
    name: str
    path: str
    batch: int | None = None
    precision: Precision | None = None
    base: Precision | None = None


@dataclass(frozen=True)
class Made:
    """What came of a Request."""

    inputs: tuple[Input, ...]
    own_batch: int
    files: tuple[MadeFile, ...]
    checked: Checked | None = None


class ModelError(Exception):
    """The user's mistake, found in the child: `steps` lead into job.yaml, unless `where` names another place."""

    def __init__(
        self, message: str, *, steps: Steps = ("model",), where: str = "", expected: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.steps, self.where = message, steps, where
        self.expected, self.hint = expected, hint


def uncalibrated(steps: Steps, *, evaluation: bool) -> ModelError:
    """That INT8 is asked for and there is nothing to learn ranges from."""
    never = "; evaluation data is never used for it, which would flatter the accuracy" if evaluation else ""
    return ModelError(
        f"int8 needs data to calibrate with{never}",
        steps=steps,
        expected="model.data.calibration",
        hint="\n".join(["add:", "model:", "  data:", "    calibration: FILE.npz"]),
    )


def write_request(path: Path, request: Request) -> None:
    path.write_text(json.dumps(asdict(request), default=_value), encoding="utf-8")


def _value(item: object) -> object:
    if isinstance(item, Precision | Role):
        return item.value
    raise TypeError(item)


def read_request(path: Path) -> Request:
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["inputs"] = {name: _asked(**asked) for name, asked in raw["inputs"].items()}
    raw["batches"] = tuple((batch, tuple(steps)) for batch, steps in raw["batches"])
    raw["lower"] = tuple(_to_lower(**item) for item in raw["lower"])
    raw["unlowered"] = tuple(raw["unlowered"])
    return Request(**raw)


def _to_lower(precision: str, steps: list[str | int], base: str, **rest: Any) -> ToLower:
    return ToLower(Precision(precision), tuple(steps), base=Precision(base), **rest)


def _asked(shape: list[Dim] | None, dtype: str | None, values: str | None, axes: list[list[Any]]) -> Asked:
    return Asked(None if shape is None else tuple(shape), dtype, values, _axes(axes))


def _axes(raw: list[list[Any]]) -> Axes:
    return tuple((index, name) for index, name in raw)


def _input(name: str, dtype: str, dims: list[Dim], values: str | None, axes: list[list[Any]]) -> Input:
    return Input(name, dtype, tuple(dims), values, _axes(axes))


def write_answer(path: Path, answer: Made | ModelError) -> None:
    if isinstance(answer, ModelError):
        error = {name: getattr(answer, name) for name in ("message", "steps", "where", "expected", "hint")}
        raw: dict[str, Any] = {"error": error}
    else:
        files = [asdict(item) for item in answer.files]
        inputs = [asdict(item) for item in answer.inputs]
        checked = asdict(answer.checked) if answer.checked else None
        raw = {"inputs": inputs, "own_batch": answer.own_batch, "files": files, "checked": checked}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(raw, default=_value), encoding="utf-8")
    part.replace(path)


def read_answer(path: Path) -> Made:
    """Raises the child's ModelError."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    if "error" in raw:
        error = raw["error"]
        raise ModelError(error.pop("message"), **{**error, "steps": tuple(error["steps"])})
    return Made(
        inputs=tuple(_input(**item) for item in raw["inputs"]),
        own_batch=raw["own_batch"],
        files=tuple(_file(**item) for item in raw["files"]),
        checked=read_checked(raw["checked"]) if raw["checked"] else None,
    )


def _file(role: str, precision: str | None, base: str | None, **rest: Any) -> MadeFile:
    return MadeFile(Role(role), precision=_precision(precision), base=_precision(base), **rest)


def _precision(value: str | None) -> Precision | None:
    return None if value is None else Precision(value)
