"""A PyTorch model to ONNX: exported once for what it was made from, and held against PyTorch's own answers.

torch is imported here and in the modules that only this one imports, and nowhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import onnxscript
import torch

from controller.intake import graph_cache
from controller.intake.exchange import ModelRequest
from controller.intake.export import user_code
from controller.intake.export.answers import refuse_different
from controller.intake.export.exporters import EXPORTERS, refuse_fixed
from controller.intake.export.observed_run import ObservedRun
from controller.intake.export.user_module import UserModule
from controller.intake.graph import onnx_files
from controller.intake.graph.forced_choice import answer_with
from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.reference_check import first_difference, unstable
from controller.intake.graph.shapes import signature
from controller.intake.graph.stand_in_inputs import blamed, choose_tried, suspects
from controller.intake.graph.tensors import Array, make
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from jetfleet.blobs import sha256_file
from jetfleet.stand_ins import NORMAL, ONE, ZERO, words_for

# Bound to the key of every cached export: raise it when an export is made differently.
_RECIPE = 3
_EXAMPLE_BATCH = 2  # 0 and 1 are special to torch.export
_OTHER_BATCH = 3


class TorchSource:
    """A module in memory and its export on disk; its answers are PyTorch's."""

    def __init__(
        self,
        request: ModelRequest,
        folder: Path,
        progress: Callable[[str], None],
        *,
        module: torch.nn.Module | None = None,
    ) -> None:
        """With a `module`, that one is exported, and always: the code of a notebook has no file to know it by."""
        self._request, self._progress = request, progress
        if module is None:
            progress(f"loading {request.torch}")
        self._user = UserModule(request, module)
        # Before the key is taken: a first run may import modules and make weights. And a plain mistake is told as one.
        example = self._example(_EXAMPLE_BATCH, _of_zeros(self._user.inputs))
        seen = self._user.observe(example)
        self._user.inputs = list(choose_tried(self._user.inputs, seen.rows, self._try))
        self.signature = signature(self._user.inputs)
        example = self._example(_EXAMPLE_BATCH, self._user.inputs)
        answer = self._answer(example)
        _refuse_random(answer, self._user.forward(example), seen)
        self._outputs = tuple(answer)
        if module is None:
            key = graph_cache.key_of(self._content())
            cache = Path(request.export_cache)
            export, self.cached = graph_cache.fetch(cache, key, self._export, is_right=self._is_right)
        else:
            export, self.cached = folder.with_name(f"{folder.name}-export"), False
            export.mkdir(parents=True)
            self._export(export)
        progress("the export is in the cache" if self.cached else "exported, and its outputs agree with PyTorch's")
        self.graph = onnx_files.lay_out(export / onnx_files.MODEL_NAME, folder)

    def _answer(self, example: Mapping[str, Array]) -> dict[str, torch.Tensor]:
        """The module's first answer. Raises ModelError, which names what nobody gave."""
        try:
            return self._user.forward(example, tell=self._progress)
        except ModelError as error:
            raise blamed(error, suspects(self._user.inputs)) from error

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {name: tensor.numpy() for name, tensor in self._user.forward(inputs).items()}

    def _content(self) -> dict[str, object]:
        """Everything that decides the export: what its key is taken over."""
        return {
            "recipe": _RECIPE,
            **self._user.content(),
            "outputs": self._outputs,
            "sources": {name: sha256_file(path) for name, path in user_code.sources().items()},
            "exporter": [
                self._request.exporter,
                self._request.opset,
                torch.__version__,
                onnx.__version__,
                onnxscript.__version__,
            ],
        }

    def _export(self, folder: Path) -> None:
        with_what = f"torch {torch.__version__}{', legacy exporter' if self._request.exporter == 'legacy' else ''}"
        self._progress(f"exporting to ONNX, opset {self._request.opset}, with {with_what}")
        example = self._example(_EXAMPLE_BATCH, self._user.inputs)
        export = EXPORTERS[self._request.exporter]
        export(self._user, example, self._outputs, folder, opset=self._request.opset)
        refuse_fixed(folder, self._user.inputs)
        self._compare(folder)

    def _is_right(self, folder: Path) -> bool:
        """Whether an export of the cache answers as the module does today: a key may miss what decides it."""
        try:
            self._compare(folder)
        except ModelError as error:
            self._progress(f"the export in the cache is not this model's and is made anew: {error.message}")
            return False
        return True

    def _try(self, inputs: tuple[Input, ...]) -> None:
        self._user.forward(self._example(_EXAMPLE_BATCH, inputs))

    def _compare(self, folder: Path) -> None:
        """Raises ModelError unless the export answers like PyTorch, at sizes that it was not traced with."""
        reference = ReferenceSession(folder / onnx_files.MODEL_NAME)
        inputs, wanted = self._other_sizes()
        try:
            found = reference.run(inputs)
        except ModelError as error:
            raise ModelError(
                f"the export fails where the model does not: {error.message}",
                steps=("model", "torch"),
                expected="an export that works for every open size, like forward()",
                hint="a number in place of the open size that it fails for, or another way to compute it",
            ) from error
        answers = {name: tensor.numpy() for name, tensor in wanted.items()}
        path = folder / onnx_files.MODEL_NAME
        refuse_different(
            found,
            answers,
            graph=path,
            forced=lambda: answer_with(path, inputs, self._user.topk_places(inputs)),
            progress=self._progress,
        )

    def _other_sizes(self) -> tuple[dict[str, Array], dict[str, torch.Tensor]]:
        """Inputs of sizes not seen before and what PyTorch makes of them; of the job's own sizes if it takes no other.

        Values from a file have the sizes that they have.
        """
        batch = _OTHER_BATCH if self.signature.dynamic else _EXAMPLE_BATCH
        if any(item.axes for item in self._user.inputs):
            try:
                inputs = self._example(batch, [_resized(item) for item in self._user.inputs])
                return inputs, self._user.forward(inputs)
            except ModelError:
                self._progress("note: the model runs with no other size of its open dimensions than the job's")
        inputs = self._example(batch, self._user.inputs)
        return inputs, self._user.forward(inputs)

    def _example(self, batch: int, inputs: Sequence[Input]) -> dict[str, Array]:
        folder, seed = Path(self._request.folder), self._request.seed
        return {item.name: make(item, batch, seed=seed, folder=folder) for item in inputs}


def _of_zeros(inputs: Sequence[Input]) -> list[Input]:
    """Masks as they will be, and integers of which nothing is known as 0, which every table has a row for."""
    return [replace(item, stand_in=ZERO) if _is_unknown_integer(item) else item for item in inputs]


def _is_unknown_integer(item: Input) -> bool:
    return words_for(item.name, item.dtype, rank=len(item.dims)) not in (NORMAL, ONE)


def _refuse_random(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], seen: ObservedRun) -> None:
    """Raises ModelError where two runs of the module differ, with the operator and the user's line that is random."""
    answers = [{name: tensor.numpy() for name, tensor in found.items()} for found in (first, second)]
    name = first_difference(answers[0], answers[1])
    if name:
        raise unstable(
            name, f"operator {seen.random}" if seen.random else "", where=seen.line, steps=("model", "torch")
        )


def _resized(item: Input) -> Input:
    """Half of every open size, or one more than the smallest: a model's largest size must not be passed."""
    dims = list(item.dims)
    for index, _ in item.axes:
        size = dims[index]
        if isinstance(size, int):
            dims[index] = size // 2 if size > 3 else size + 1
    return replace(item, dims=tuple(dims))
