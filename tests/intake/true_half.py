"""A graph lowered to half and evaluated in true half precision, beside what it answers in float32."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from controller.intake.lowering.float16 import Float16Graph, infer_types, to_float16
from controller.intake.lowering.ranges import seen_values

SCALAR = np.float32


def both(model: onnx.ModelProto, inputs: dict[str, Any], folder: Path) -> tuple[Float16Graph, list[Any], list[Any]]:
    """The converted graph, what it answers in true half, and what the model answers in float32."""
    path = folder / "m.onnx"
    onnx.save_model(model, str(path))
    wanted = ReferenceEvaluator(str(path)).run(None, inputs)
    made = to_float16(onnx.load(str(path)), seen_values(path, inputs))
    typed = infer_types(made.model, strict=True)
    with np.errstate(all="ignore"):
        return made, ReferenceEvaluator(typed).run(None, inputs), wanted


def kept(made: Float16Graph, op: str) -> bool:
    return any(name.startswith(f"{op}_") or name == op for name in made.kept)
