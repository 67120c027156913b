"""A tensor inside of a graph made an output of it, so that an engine built from the graph tells what it is there."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import onnx

from controller.intake.graph.tensors import Array
from controller.intake.lowering.divergence import asked, leading_to
from controller.model.divergence import Suspect

_PREFIX = "bisect_"


def label_of(tensor: str) -> str:
    return f"{_PREFIX}{tensor}"


def mark_file(graph: Path, tensor: str, out: Path) -> None:
    """Writes the graph with one more output: the tensor in float32, whatever type it has in there.

    External data stays where the graph says that it is: beside it.
    """
    model = onnx.load(str(graph), load_external_data=False)
    label = label_of(tensor)
    model.graph.node.append(onnx.helper.make_node("Cast", [tensor], [label], name=label, to=onnx.TensorProto.FLOAT))
    model.graph.output.append(onnx.helper.make_tensor_value_info(label, onnx.TensorProto.FLOAT, None))
    out.write_bytes(model.SerializeToString())


def value_of(fp32: Path, tensor: str, inputs: Mapping[str, Array]) -> Array:
    """What FP32's graph makes of it. Raises ModelError where that does not run."""
    return asked(onnx.load(str(fp32), load_external_data=False), fp32, [tensor], inputs)[tensor]


def suspects(fp32: Path, graphs: Sequence[Path], outputs: Collection[str]) -> Iterator[Suspect]:
    """Float tensors that FP32's graph and all of these make and that lead to the outputs, in FP32's order."""
    reference = onnx.load(str(fp32), load_external_data=False)
    models = [onnx.load(str(path), load_external_data=False) for path in graphs]
    wanted = set.intersection(*(set(leading_to(outputs, reference, model)) for model in models))
    nearest: dict[str, tuple[str, ...]] = {}  # of every tensor: itself if it is wanted, else those before it
    for node in reference.graph.node:
        reads = tuple(dict.fromkeys(before for name in node.input for before in nearest.get(name, ())))
        for name in node.output:
            if name in wanted:
                yield Suspect(name, node.name, node.op_type, reads)
            nearest[name] = (name,) if name in wanted else reads
