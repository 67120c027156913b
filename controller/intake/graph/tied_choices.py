"""Whether the scores that a TopK chooses by tie at its last place: then which rows it takes is arbitrary.

The same order of ties on the workstation in two precisions says nothing of a device, whose TopK has its own order.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.set_outputs import chosen_outputs
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError

_EQUAL = 1e-6  # of the largest score: what float32 tells apart by its last digits alone


def tied_choices(path: Path, inputs: Mapping[str, Array]) -> dict[str, tuple[str, ...]]:
    """Groups of outputs whose rows a TopK chose among scores that tie, by its label. Empty where it cannot be told."""
    model = onnx.load_model(str(path), load_external_data=False)
    chosen = chosen_outputs(model.graph)
    nodes = {f"{node.op_type} {node.name!r}": node for node in model.graph.node if node.op_type == "TopK"}
    asked = {label: nodes[label] for label in chosen if label in nodes and nodes[label].output[0]}
    if not asked:
        return {}
    held = {item.name for item in model.graph.output}
    wanted = dict.fromkeys(name for node in asked.values() for name in (node.input[0], node.output[0]))
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted if name not in held)
    try:
        found = _run(model, path, inputs)
    except ModelError:  # scores that are a graph's input, for one
        return {}
    return {
        label: chosen[label]
        for label, node in asked.items()
        if _tie_at_the_end(found[node.input[0]], found[node.output[0]], axis=_axis(node))
    }


def _axis(node: onnx.NodeProto) -> int:
    return next((item.i for item in node.attribute if item.name == "axis"), -1)


def _tie_at_the_end(scores: Array, values: Array, *, axis: int) -> bool:
    """Whether in some row more scores equal the last one chosen than were chosen of them."""
    if not values.size:
        return False
    last = np.take(values, [-1], axis=axis).astype(np.float64)
    near = _EQUAL * float(np.abs(np.where(np.isfinite(scores), scores, 0)).max(initial=0.0))
    with np.errstate(invalid="ignore"):  # infinity less infinity
        equal = ((np.abs(scores - last) <= near) | (scores == last)).sum(axis=axis)
        taken = ((np.abs(values - last) <= near) | (values == last)).sum(axis=axis)
    return bool((equal > taken).any())


def _run(model: onnx.ModelProto, path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Beside the original, whose external data it reads."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="ties-", suffix=".onnx") as file:
        file.write(model.SerializeToString())
        file.flush()
        return ReferenceSession(Path(file.name)).run(inputs)
