"""The only importer of torch: a user's nn.Module to ONNX, held against PyTorch's own answers, and never made twice."""

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnx
import onnxscript
import torch

from controller.intake import exportcache, graph, usercode
from controller.intake.exchange import Asked, Input, ModelError, Request
from controller.intake.reference import Reference
from controller.intake.shapes import quoted, signature
from controller.intake.tensors import Array, make
from controller.intake.yamltree import Steps
from jetfleet.blobs import sha256_file

# Bound to the key of every cached export: raise it when this module exports differently.
_RECIPE = 1
_EXAMPLE_BATCH = 2  # 0 and 1 are special to torch.export
_OTHER_BATCH = 3
_RTOL, _ATOL = 1e-3, 1e-4
_EXTERNAL_OVER_BYTES = 1 << 30
_USER_LINE = re.compile(r'File "([^"]+)", line (\d+)')


class TorchSource:
    """A module in memory and its export on disk; its answers are PyTorch's."""

    def __init__(self, request: Request, folder: Path, progress: Callable[[str], None]) -> None:
        self._request, self._progress = request, progress
        progress(f"loading {request.torch}")
        torch.manual_seed(request.seed)
        self._module = _load(request)
        self.signature = signature(_inputs(request.inputs, self._module))
        self._by_name = all(item.name in _parameters(self._module) for item in self.signature.inputs)
        cache = Path(request.cache)
        made, hit = exportcache.fetch(cache, exportcache.key_of(self._content()), self._export)
        progress("the export is in the cache" if hit else "exported, and its outputs agree with PyTorch's")
        self.laid = graph.lay_out(made / graph.MODEL_NAME, folder)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return self._answers(inputs, self.laid.outputs)

    def _answers(self, inputs: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        found = self._forward(inputs)
        leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(found) if isinstance(leaf, torch.Tensor)]
        if len(leaves) != len(names):
            message = f"the model returns {len(leaves)} tensors and its export has {len(names)} outputs"
            raise ModelError(message, expected="a tensor, or a tuple, list or dict of tensors")
        return {name: leaf.numpy() for name, leaf in zip(names, leaves, strict=True)}

    def _call_with(self, tensors: Mapping[str, object]) -> tuple[tuple[object, ...], dict[str, object]]:
        """By name where the inputs are called like parameters of forward(), else in order."""
        return ((), dict(tensors)) if self._by_name else (tuple(tensors.values()), {})

    def _content(self) -> dict[str, object]:
        """Everything that decides the export: what its key is taken over."""
        return {
            "recipe": _RECIPE,
            "entry": [self._request.torch, repr(sorted(self._request.args.items()))],
            "weights": _weights(self._module),
            "structure": _structure(self._module),
            "sources": {name: sha256_file(path) for name, path in usercode.sources().items()},
            "inputs": [[item.name, item.dtype, list(item.dims)] for item in self.signature.inputs],
            "exporter": [self._request.opset, torch.__version__, onnx.__version__, onnxscript.__version__],
        }

    def _export(self, folder: Path) -> None:
        self._progress(f"exporting to ONNX, opset {self._request.opset}, with torch {torch.__version__}")
        inputs = self._example(_EXAMPLE_BATCH)
        arguments, keywords = self._call_with(_as_tensors(inputs))
        self._forward(inputs)  # a plain mistake must not look like the exporter's
        dims = {item.name: _dynamic(item) for item in self.signature.inputs}
        try:
            program = torch.onnx.export(
                self._module,
                arguments,
                kwargs=keywords,
                input_names=[item.name for item in self.signature.inputs],
                opset_version=self._request.opset,
                dynamic_shapes=dims if self._by_name else tuple(dims.values()),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:
            raise _unexportable(error) from error
        _refuse_fixed(_save(program, folder), self.signature.inputs)
        self._compare(folder)

    def _forward(self, inputs: Mapping[str, Array]) -> object:
        """PyTorch's own answer. Raises ModelError with the user's line."""
        arguments, keywords = self._call_with(_as_tensors(inputs))
        try:
            with torch.inference_mode():
                return self._module(*arguments, **keywords)
        except Exception as error:
            raise usercode.blame(error, "running the model raised", fallback=("model", "inputs")) from error

    def _compare(self, folder: Path) -> None:
        """Raises ModelError unless the export answers like PyTorch, at a batch size that it was not traced with."""
        inputs = self._example(_OTHER_BATCH if self.signature.dynamic else _EXAMPLE_BATCH)
        found = Reference(folder / graph.MODEL_NAME).run(inputs)
        for name, wanted in self._answers(inputs, tuple(found)).items():
            array = torch.from_numpy(found[name])
            try:
                torch.testing.assert_close(
                    array, torch.from_numpy(wanted), rtol=_RTOL, atol=_ATOL, equal_nan=True, check_stride=False
                )
            except AssertionError as error:
                detail = " ".join(str(error).split())[:300]
                raise ModelError(
                    f"the export answers differently from PyTorch in output {name!r}: {detail}",
                    steps=("model", "torch"),
                    expected=f"agreement within rtol {_RTOL:g}, atol {_ATOL:g}",
                    hint="a random or data-dependent operation in forward() is the usual cause",
                ) from error

    def _example(self, batch: int) -> dict[str, Array]:
        folder, seed = Path(self._request.folder), self._request.seed
        return {item.name: make(item, batch, seed=seed, folder=folder) for item in self.signature.inputs}


def _load(request: Request) -> torch.nn.Module:
    function = usercode.import_callable(request.torch, Path(request.folder))
    module = usercode.call(request.torch, function, request.args)
    if not isinstance(module, torch.nn.Module):
        kind = type(module).__name__
        message = f"{request.torch} returned {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
        raise ModelError(message, steps=("model", "torch"), expected="a torch.nn.Module")
    return module.eval().cpu()


def _parameters(module: torch.nn.Module) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(module.forward).parameters)


def _inputs(asked: Mapping[str, Asked], module: torch.nn.Module) -> list[Input]:
    """A module declares no shapes, so job.yaml must. Raises ModelError with the lines to add."""
    parameters = _parameters(module)
    required = [
        name
        for name, item in parameters.items()
        if item.default is item.empty and item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
    ]
    found = []
    for name, item in asked.items():
        if item.shape is None:
            steps: Steps = ("model", "inputs", name)
            raise ModelError(f"input {name!r} has no shape", steps=steps, expected="shape: [batch, ...]")
        found.append(Input(name, item.dtype or "float32", item.shape, item.values))
    if len(found) < len(required):
        lines = [f"    {quoted(name)}: {{shape: [batch, 3, 224, 224]}}" for name in required]
        raise ModelError(
            f"forward() takes {', '.join(required)}, and job.yaml describes {', '.join(asked) or 'none of them'}",
            steps=("model", "inputs") if asked else ("model",),
            expected="a shape for every input",
            hint="\n".join(["write, with your own shapes:", "model:", "  inputs:", *lines]),
        )
    return found


def _dynamic(item: Input) -> dict[int, object]:
    return {index: torch.export.Dim("batch") for index, dim in enumerate(item.dims) if dim == "batch"}


def _weights(module: torch.nn.Module) -> str:
    found = hashlib.sha256()
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        found.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _structure(module: torch.nn.Module) -> list[str]:
    """Every submodule: its class, how it shows itself, and its plain attributes, which forward() may depend on."""
    lines = []
    for name, part in module.named_modules():
        plain = {
            key: value
            for key, value in vars(part).items()
            if not key.startswith("_") and isinstance(value, bool | int | float | str | tuple | None)
        }
        kind = type(part)
        lines.append(f"{name} {kind.__module__}.{kind.__qualname__} {part.extra_repr()} {sorted(plain.items())!r}")
    return lines


def _as_tensors(arrays: Mapping[str, Array]) -> dict[str, torch.Tensor]:
    """Copies: a forward() that works in place must not change what it is compared with."""
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _refuse_fixed(laid: graph.Laid, inputs: Sequence[Input]) -> None:
    """Raises ModelError if forward() made a number of a batch size that was to stay open."""
    declared = {item.name: item.dims for item in laid.inputs}
    for item in inputs:
        for index, dim in enumerate(item.dims):
            found = declared[item.name][index] if item.name in declared else None
            if dim == "batch" and isinstance(found, int):
                raise ModelError(
                    f"forward() works for one batch size only: it fixes dimension {index} of input {item.name!r}",
                    steps=("model", "inputs", item.name, "shape", index),
                    expected="a forward() for any batch size: sizes from x.shape, or -1, in view and reshape",
                    hint="or write a number in place of `batch`",
                )


def _save(program: "torch.onnx.ONNXProgram", folder: Path) -> graph.Laid:
    """Writes the export less the exporter's notes, which hold paths of this machine."""
    model = program.model_proto
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for item in [
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
        *model.graph.initializer,
        model.graph,
    ]:
        item.ClearField("metadata_props")
    model.ClearField("metadata_props")
    large = model.ByteSize() > _EXTERNAL_OVER_BYTES
    onnx.save_model(
        model, str(folder / graph.MODEL_NAME), save_as_external_data=large, location=f"{graph.MODEL_NAME}.data"
    )
    return graph.describe(folder, (), model)


def _unexportable(error: BaseException) -> ModelError:
    """The exporter's innermost reason and the user's line in it, less its pages of advice."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    text = str(causes[-1])
    lines = [f"{file}:{line}" for file, line in _USER_LINE.findall(text) if usercode.is_users(file)]
    return ModelError(
        f"the model cannot be exported: {type(causes[-1]).__name__}: {graph.first_line(causes[-1])}",
        steps=("model", "torch"),
        where=lines[-1] if lines else "",
        expected="a forward() that torch.export can trace, with the batch size left open where inputs say `batch`",
        hint="branch on shapes or configuration, not on values of tensors; or give a number in place of `batch`",
    )
