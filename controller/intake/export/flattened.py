"""A module around the user's that returns a tuple of tensors: an exporter need not know the user's types.

A module of its own, because the user's must not be changed by being looked at, and an exporter takes a forward() that
was hung onto an instance for something else than a module's.
"""

import inspect
from collections.abc import Collection

import torch

from controller.intake.export.outputs import flatten

INNER = "model"  # where the user's module is in it: what exporters put before the names of its weights


def flattened(module: torch.nn.Module, inputs: Collection[str]) -> torch.nn.Module:
    """With the parameters of the module's own forward(), which exporters match inputs and open sizes with."""

    def forward(self: torch.nn.Module, *arguments: object, **keywords: object) -> tuple[torch.Tensor, ...]:
        return tuple(flatten(getattr(self, INNER)(*arguments, **keywords), taken=inputs).values())

    own = inspect.signature(module.forward)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(forward)["__signature__"] = inspect.Signature([itself, *own.parameters.values()])
    wrapper: torch.nn.Module = type("Flattened", (torch.nn.Module,), {"forward": forward})()
    wrapper.add_module(INNER, module)
    return wrapper.eval()
