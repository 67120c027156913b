"""What the model child does with a request: the model, its reference inputs and outputs, its evaluation data."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from controller.intake import datasets, graph
from controller.intake.datasets import LABELS, Evaluation
from controller.intake.exchange import Asked, Made, MadeFile, ModelError, Request
from controller.intake.reference import Reference
from controller.intake.shapes import Signature, Unresolved, check_batches, guesses, resolve
from controller.intake.tensors import Array, write_npy
from controller.intake.tensors import make as make_input
from controller.model.job import Role


class Source(Protocol):
    """A model, laid out as ONNX, that can answer in FP32."""

    signature: Signature
    laid: graph.Laid

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]: ...


class OnnxSource:
    """A user's ONNX file, which is its own reference."""

    def __init__(self, request: Request, folder: Path) -> None:
        self.laid = graph.lay_out(Path(request.folder) / request.onnx, folder)
        self._reference: Reference | None = None
        try:
            self.signature = resolve(self.laid.inputs, request.inputs)
        except Unresolved as error:
            raise self._advised(error, request) from error

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if self._reference is None:
            self._reference = Reference(self.laid.path)
        return self._reference.run(inputs)

    def _advised(self, error: Unresolved, request: Request) -> Unresolved:
        """The error with shapes that the model was seen to run with, if a few tries find any."""
        candidates = list(guesses(error.dims))
        for shapes in candidates:
            asked = {name: replace(item, values=None) for name, item in request.inputs.items()}
            asked |= {name: Asked(shape=shape) for name, shape in shapes.items()}
            with contextlib.suppress(ModelError):
                found = resolve(self.laid.inputs, asked).inputs
                self.run({item.name: make_input(item, 1, seed=0, folder=Path(request.folder)) for item in found})
                return error.advise(shapes, tried=True)
        return error.advise(candidates[0], tried=False)


def make(request: Request, progress: Callable[[str], None]) -> Made:
    """Raises ModelError."""
    out = Path(request.out)
    folder = out / "model"
    folder.mkdir(parents=True)
    source = _source(request, folder, progress)
    check_batches(source.signature, request.batches)
    batches = {batch for batch, _ in request.batches} | ({source.signature.own_batch} if request.own_batch else set())
    files = [MadeFile(Role.MODEL_FP32, graph.MODEL_NAME, str(source.laid.path))]
    files += [MadeFile(Role.MODEL_DATA, name, str(source.laid.folder / name)) for name in source.laid.data]
    evaluation = None
    if request.evaluation:
        progress("reading the evaluation data")
        path = Path(request.folder) / request.evaluation
        evaluation = datasets.load(path, source.signature, largest_batch=max(batches))
        files += _evaluation_files(evaluation, out)
    for batch in sorted(batches):
        progress(f"computing the reference outputs for batch {batch}")
        files += _reference_files(request, source, evaluation, batch)
    return Made(inputs=source.signature.inputs, own_batch=source.signature.own_batch, files=tuple(files))


def _source(request: Request, folder: Path, progress: Callable[[str], None]) -> Source:
    if request.onnx:
        progress(f"checking {request.onnx}")
        return OnnxSource(request, folder)
    from controller.intake.export import TorchSource

    return TorchSource(request, folder, progress)


def _evaluation_files(evaluation: Evaluation, out: Path) -> list[MadeFile]:
    files = [
        _write(out, Role.EVALUATION_INPUT, name, array, index)
        for index, (name, array) in enumerate(evaluation.inputs.items())
    ]
    return [*files, _write(out, Role.EVALUATION_LABELS, LABELS, evaluation.labels, 0)]


def _reference_files(request: Request, source: Source, evaluation: Evaluation | None, batch: int) -> list[MadeFile]:
    real = evaluation.first(batch) if evaluation else {}
    folder = Path(request.folder)
    inputs = {
        item.name: real[item.name] if item.name in real else make_input(item, batch, seed=request.seed, folder=folder)
        for item in source.signature.inputs
    }
    outputs = source.run(inputs)
    files = []
    for role, arrays in ((Role.REFERENCE_INPUT, inputs), (Role.REFERENCE_OUTPUT, outputs)):
        for index, (name, array) in enumerate(arrays.items()):
            files.append(_write(Path(request.out), role, name, array, index, batch=batch))
    return files


def _write(out: Path, role: Role, name: str, array: Array, index: int, *, batch: int | None = None) -> MadeFile:
    """One tensor as .npy; a tensor's name never becomes part of a path."""
    path = out / f"{role.value}-{batch or 'all'}-{index}.npy"
    write_npy(path, array)
    return MadeFile(role, name, str(path), batch)
