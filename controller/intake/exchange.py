"""What the CLI's process and the model child tell each other, as plain data in two JSON files. Imports nothing big."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.intake.jobfile.inputs import DimValues, Input, InputRequest, RunSize
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps
from controller.intake.model_report import ModelReport
from controller.model import codec
from controller.model.divergence import Divergence, Suspect
from controller.model.job import FoundSet, OutputCheck, Precision, Role, TensorSpec, Workload

ANSWER_NAME = "answer.json"
# How the child ends where the disk is to blame: EX_CANTCREAT and EX_IOERR of sysexits.h.
DISK_FULL, DISK_FAILS = 73, 74


@dataclass(frozen=True)
class LoweringRequest:
    """A precision that the FP32 graph is lowered to, what asked for it, and how far from FP32 it may answer."""

    precision: Precision
    steps: Steps
    check: OutputCheck
    base: Precision = Precision.FP16  # the floats of the graph: what INT8's Q/DQ pairs stand over
    typed: bool = False  # whether a strongly typed builder (TensorRT) gets it
    dla: bool = False  # of INT8: placed for a DLA


@dataclass(frozen=True)
class BisectRequest:
    """Two graphs and the reference inputs, by name, that both are to answer."""

    fp32: str
    lowered: str
    inputs: tuple[tuple[str, str], ...]
    check: OutputCheck


@dataclass(frozen=True)
class MarkRequest:
    """Graphs to which a tensor is to be added as an output, and FP32's, which says what it is to be.

    Without `tensor`: only which tensors lead to `outputs`, in FP32's order.
    """

    fp32: str
    graphs: tuple[str, ...]
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    tensor: str = ""


@dataclass(frozen=True)
class Marked:
    """The graphs' files in the order of the request, and what the output `label` is to be."""

    label: str
    graphs: tuple[str, ...]
    reference: str


@dataclass(frozen=True)
class ModelRequest:
    """One model to look at. Paths are absolute but those of data, `onnx` and values: they start at `folder`."""

    folder: str
    torch: str
    onnx: str
    args: dict[str, Any]
    inputs: dict[str, InputRequest]
    evaluation: str
    accuracy_output: str  # empty: not said
    calibration: str
    lower: tuple[LoweringRequest, ...]
    batches: tuple[tuple[int, Steps], ...]  # asked for, and where
    own_batch: bool  # whether some variant leaves the batch to the graph
    seed: int
    opset: int
    exporter: str
    export_cache: str
    lowering_cache: str
    out: str
    memory_bytes: int
    float32_steps: Steps = ()  # what asks for float32; empty: nothing does
    dims: tuple[DimValues, ...] = ((),)  # every combination of the dimensions that are axes
    check: bool = False  # only hold the model against its reference
    bisect: BisectRequest | None = None  # only say where a lowered graph leaves FP32
    mark: MarkRequest | None = None  # only add an output to graphs
    accuracy_metrics: tuple[str, ...] = ()  # the built-in ones, by the names of jetfleet.metrics


@dataclass(frozen=True)
class ModelFile:
    """A file that variants need. None: every variant does, whatever its size, its precision, the floats under its Q/DQ
    pairs, and whether these are placed for a DLA."""

    role: Role
    name: str
    path: str
    size: RunSize | None = None
    precision: Precision | None = None
    base: Precision | None = None
    dla: bool | None = None


@dataclass(frozen=True)
class RefusedGraph:
    """A precision that the model does not have, over these floats; the variants that need it are refused."""

    precision: Precision
    base: Precision
    reason: str
    dla: bool = False


@dataclass(frozen=True)
class RefusedSize:
    """A size that the model does not run with; the variants of it are refused."""

    size: RunSize
    reason: str


@dataclass(frozen=True)
class ModelAnswer:
    """What came of a ModelRequest."""

    inputs: tuple[Input, ...]
    own_batch: int
    files: tuple[ModelFile, ...]
    refused: tuple[RefusedGraph, ...] = ()
    refused_sizes: tuple[RefusedSize, ...] = ()
    rounded: tuple[str, ...] = ()  # outputs of integers that the graph rounds from floats
    sets: tuple[FoundSet, ...] = ()  # outputs that agree when their rows are matched, and not by place
    report: ModelReport | None = None
    accuracy_output: str = ""  # which output holds the scores of the evaluation data
    divergence: Divergence | None = None
    suspects: tuple[Suspect, ...] = ()
    marked: Marked | None = None
    workloads: tuple[tuple[RunSize, Workload], ...] = ()  # of those sizes whose shapes are known
    outputs: tuple[TensorSpec, ...] = ()  # as they were to the largest batch
    weak_calibration: str = ""


@dataclass(frozen=True)
class _ErrorRecord:
    """A ModelError as data."""

    message: str
    steps: Steps
    where: str
    expected: str
    hint: str


@dataclass(frozen=True)
class _Outcome:
    """Exactly one of the two."""

    answer: ModelAnswer | None = None
    error: _ErrorRecord | None = None


def write_request(path: Path, request: ModelRequest) -> None:
    path.write_text(codec.dump(request), encoding="utf-8")


def read_request(path: Path) -> ModelRequest:
    return codec.load(ModelRequest, path.read_text(encoding="utf-8"))


def write_answer(path: Path, found: ModelAnswer | ModelError) -> None:
    if isinstance(found, ModelError):
        outcome = _Outcome(error=_ErrorRecord(found.message, found.steps, found.where, found.expected, found.hint))
    else:
        outcome = _Outcome(answer=found)
    part = path.with_suffix(".part")
    part.write_text(codec.dump(outcome), encoding="utf-8")
    part.replace(path)


def read_answer(path: Path) -> ModelAnswer:
    """Raises the child's ModelError."""
    outcome = codec.load(_Outcome, path.read_text(encoding="utf-8"))
    if outcome.error is not None:
        error = outcome.error
        raise ModelError(error.message, steps=error.steps, where=error.where, expected=error.expected, hint=error.hint)
    if outcome.answer is None:
        raise ValueError(f"{path} holds neither an answer nor an error")
    return outcome.answer
