"""A model as the child holds it: laid out as ONNX, its signature known, and able to answer in FP32."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from controller.intake.exchange import ModelRequest
from controller.intake.graph import float64, onnx_files, stand_in_inputs
from controller.intake.graph.agreement import agree
from controller.intake.graph.integer_uses import table_rows_of
from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.shapes import Signature, Unresolved, guesses, resolve
from controller.intake.graph.tensors import Array, make
from controller.intake.jobfile.inputs import Input, InputRequest
from controller.intake.jobfile.model_error import ModelError


class ModelSource(Protocol):
    """A model, laid out as ONNX, that can answer in FP32."""

    signature: Signature
    graph: onnx_files.GraphFiles

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]: ...


class OnnxSource:
    """A user's ONNX file, which is its own reference."""

    def __init__(self, request: ModelRequest, folder: Path, progress: Callable[[str], None]) -> None:
        self._request = request
        source = Path(request.folder) / request.onnx
        laid_out = onnx_files.lay_out(source, folder)
        self.graph = float64.in_float32(laid_out)
        if self.graph.changes:
            progress(f"normalised: {'; '.join(self.graph.changes)}")
        self._reference: ReferenceSession | None = None
        try:
            found = resolve(self.graph.inputs, request.inputs)
        except Unresolved as error:
            raise self._advised(error, request) from error
        rows = table_rows_of(self.graph.path)
        inputs = stand_in_inputs.choose_tried(
            found.inputs, rows, lambda chosen: self._try(chosen, found.own_batch, seed=request.seed)
        )
        self.signature = replace(found, inputs=inputs)
        if self.graph is not laid_out:
            self._hold_to_float64(source)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if self._reference is None:
            self._reference = ReferenceSession(self.graph.path)
        return self._reference.run(inputs)

    def _hold_to_float64(self, source: Path) -> None:
        """Raises ModelError where the user's file answers otherwise; not every operator runs in float64 at all."""
        inputs = self._made(self.signature.inputs, self.signature.own_batch, seed=self._request.seed)
        try:
            wanted = float64.run_in_float64(source, inputs)
            found = self.run(inputs)
        except ModelError:
            return
        for name, array in wanted.items():
            told = "brought from float64 to float32, the model answers differently"
            agree(name, found[name], array, told=told, steps=("model", "onnx"))

    def _made(self, inputs: tuple[Input, ...], batch: int, *, seed: int) -> dict[str, Array]:
        return {item.name: make(item, batch, seed=seed, folder=Path(self._request.folder)) for item in inputs}

    def _try(self, inputs: tuple[Input, ...], batch: int, *, seed: int) -> None:
        self.run(self._made(inputs, batch, seed=seed))

    def _advised(self, error: Unresolved, request: ModelRequest) -> Unresolved:
        """The error with shapes that the model was seen to run with, if a few tries find any."""
        candidates = list(guesses(error.dims))
        for shapes in candidates:
            inputs = {name: replace(item, values=None) for name, item in request.inputs.items()}
            inputs |= {name: InputRequest(shape=shape) for name, shape in shapes.items()}
            with contextlib.suppress(ModelError):
                self._try(resolve(self.graph.inputs, inputs).inputs, 1, seed=0)
                return error.advise(shapes, tried=True)
        return error.advise(candidates[0], tried=False)


def open_source(request: ModelRequest, folder: Path, progress: Callable[[str], None]) -> ModelSource:
    if request.onnx:
        progress(f"checking {request.onnx}")
        return OnnxSource(request, folder, progress)
    from controller.intake.export.torch_source import TorchSource

    return TorchSource(request, folder, progress)
