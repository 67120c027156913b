"""An nn.Module that the caller's process holds, exported there: no child process sees a class of a notebook.

The caller's module, its training mode and torch's random state stay as they are.
"""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from controller.intake.exchange import ModelRequest
from controller.intake.export.torch_source import TorchSource
from controller.intake.jobfile.model_error import ModelError


def export_module(
    module: torch.nn.Module, request: ModelRequest, folder: Path, progress: Callable[[str], None]
) -> Path:
    """The ONNX file, in a new folder, which was held against PyTorch's answers. Raises ModelError."""
    try:
        own = copy.deepcopy(module)
    except Exception as error:
        raise ModelError(
            f"the module cannot be copied: {type(error).__name__}: {error}",
            steps=("model", "torch"),
            expected="a torch.nn.Module that copy.deepcopy takes",
            hint="detach tensors that it keeps from a training step, or submit it as MODULE:CALLABLE",
        ) from error
    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of torch's exporter about itself are not the caller's
        return TorchSource(request, folder, progress, module=own).graph.path
