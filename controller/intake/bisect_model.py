"""A variant's graph held against FP32's, tensor by tensor. Runs in the model child: graphs are hostile files."""

from collections.abc import Callable
from pathlib import Path

from controller.intake.exchange import ModelAnswer, ModelRequest
from controller.intake.graph.tensors import read_npy
from controller.intake.lowering.divergence import first_divergence


def bisect(request: ModelRequest, progress: Callable[[str], None]) -> ModelAnswer:
    """Raises ModelError."""
    asked = request.bisect
    if asked is None:
        raise ValueError("nothing is asked")
    inputs = {name: read_npy(Path(path), steps=("model",)) for name, path in asked.inputs}
    found = first_divergence(Path(asked.fp32), Path(asked.lowered), inputs, asked.check, progress=progress)
    return ModelAnswer((), 0, (), divergence=found)
