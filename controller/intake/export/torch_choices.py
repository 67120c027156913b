"""Which rows PyTorch's own topk takes in a run: where scores tie, an export takes others, and is right all the same."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from controller.intake.graph.tensors import Array


def recording_topk(taken: list[Array]) -> AbstractContextManager[Any]:
    """Adds the places that each topk takes, in the order of calls."""

    def dispatch(_: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.topk.default:
            taken.append(found[1].numpy().copy())
        return found

    mode: AbstractContextManager[Any] = type("Recorder", (TorchDispatchMode,), {"__torch_dispatch__": dispatch})()
    return mode
