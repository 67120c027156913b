"""The user's nn.Module in memory: loaded, called, and known by everything that decides how it answers."""

import contextlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from controller.intake.exchange import ModelRequest
from controller.intake.export import user_code
from controller.intake.export.flattened import flattened
from controller.intake.export.module_content import content_digest
from controller.intake.export.observed_run import ObservedRun
from controller.intake.export.outputs import flatten
from controller.intake.export.torch_choices import recording_topk
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.inputs import Input, InputRequest
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps, quoted

Call = tuple[tuple[object, ...], dict[str, object]]


class UserModule:
    """A module on the CPU, in evaluation mode, with the inputs that job.yaml describes, in forward()'s order."""

    def __init__(self, request: ModelRequest, module: torch.nn.Module | None = None) -> None:
        """The module that was given, or the one that the request's entry makes."""
        self.module = _load(request) if module is None else module.eval().cpu()
        self._entry = [request.torch, repr(sorted(request.args.items()))]
        parameters = list(_parameters(self.module))
        found = _inputs(request.inputs, self.module)
        self.by_name = all(item.name in parameters for item in found)
        self.inputs = sorted(found, key=lambda item: parameters.index(item.name)) if self.by_name else found

    def forward(
        self, inputs: Mapping[str, Array], *, tell: Callable[[str], None] = lambda _: None
    ) -> dict[str, torch.Tensor]:
        """PyTorch's own answer, by name. Raises ModelError with the user's line."""
        arguments, keywords = self.call_with(inputs)
        try:
            with torch.inference_mode():
                found = self.module(*arguments, **keywords)
        except Exception as error:
            raise user_code.blame(error, "running the model raised", fallback=("model", "inputs")) from error
        return flatten(found, taken=inputs, tell=tell)

    def topk_places(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Which rows each topk of a run takes, in the order of calls. Raises ModelError."""
        taken: list[Array] = []
        with recording_topk(taken):
            self.forward(inputs)
        return taken

    def call_with(self, inputs: Mapping[str, Array]) -> Call:
        """By name where the inputs are called like parameters of forward(), else in order.

        Copies: a forward() that works in place must not change what it is compared with.
        """
        tensors = {item.name: torch.from_numpy(inputs[item.name].copy()) for item in self.inputs}
        return ((), dict(tensors)) if self.by_name else (tuple(tensors.values()), {})

    def flattened(self) -> torch.nn.Module:
        """A module around it that returns a tuple of tensors; this one stays as it is."""
        return flattened(self.module, [item.name for item in self.inputs])

    def observe(self, inputs: Mapping[str, Array]) -> ObservedRun:
        """What one run shows. Not every module can be watched: then nothing is known of it."""
        arguments, keywords = self.call_with(inputs)
        given = {item.name: tensor for item, tensor in zip(self.inputs, (*arguments, *keywords.values()), strict=True)}
        seen = ObservedRun({name: tensor for name, tensor in given.items() if isinstance(tensor, torch.Tensor)})
        with contextlib.suppress(Exception), torch.inference_mode(), seen.watching():
            self.module(*arguments, **keywords)
        return seen

    def content(self) -> dict[str, object]:
        """Everything of the module that decides its export. After a first forward(), which may import and build."""
        return {
            "entry": self._entry,
            "content": content_digest(self.module, user_code.sources()),
            "libraries": _libraries(self.module),
            "inputs": [[item.name, item.dtype, list(item.dims), list(item.axes)] for item in self.inputs],
        }


def _load(request: ModelRequest) -> torch.nn.Module:
    torch.manual_seed(request.seed)
    function = user_code.import_callable(request.torch, Path(request.folder))
    module = user_code.call(request.torch, function, request.args)
    if not isinstance(module, torch.nn.Module):
        kind = type(module).__name__
        message = f"{request.torch} returned {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
        raise ModelError(message, steps=("model", "torch"), expected="a torch.nn.Module")
    return module.eval().cpu()


def _parameters(module: torch.nn.Module) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(module.forward).parameters)


def _inputs(requests: Mapping[str, InputRequest], module: torch.nn.Module) -> list[Input]:
    """A module declares no shapes, so job.yaml must. Raises ModelError with the lines to add."""
    required = [
        name
        for name, item in _parameters(module).items()
        if item.default is item.empty and item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
    ]
    found = []
    for name, item in requests.items():
        if item.shape is None:
            steps: Steps = ("model", "inputs", name)
            raise ModelError(f"input {name!r} has no shape", steps=steps, expected="shape: [batch, ...]")
        found.append(Input(name, item.dtype or "float32", item.shape, item.values, item.axes))
    if len(found) < max(len(required), 1):
        raise _undescribed(required, list(requests))
    _refuse_two_sizes(found)
    return found


def _undescribed(required: Sequence[str], requests: Sequence[str]) -> ModelError:
    lines = [f"    {quoted(name)}: {{shape: [batch, 3, 224, 224]}}" for name in required or ["INPUT"]]
    return ModelError(
        f"forward() takes {', '.join(required) or 'arguments'}, "
        f"and job.yaml describes {', '.join(requests) or 'none of them'}",
        steps=("model", "inputs") if requests else ("model",),
        expected="a shape for every input",
        hint="\n".join(["write, with your own shapes:", "model:", "  inputs:", *lines]),
    )


def _refuse_two_sizes(inputs: Sequence[Input]) -> None:
    sizes: dict[str, object] = {}
    for item in inputs:
        for index, name in item.axes:
            if sizes.setdefault(name, item.dims[index]) != item.dims[index]:
                raise ModelError(
                    f"{name} is {sizes[name]} elsewhere, and {item.dims[index]} here",
                    steps=("model", "inputs", item.name, "shape", index),
                    expected="one size for one name",
                )


def _libraries(module: torch.nn.Module) -> dict[str, str]:
    """The packages that the module's parts are classes of, with their versions: their sources are not hashed."""
    names = {type(part).__module__.partition(".")[0] for part in module.modules()}
    return {name: str(getattr(sys.modules.get(name), "__version__", "")) for name in sorted(names)}
