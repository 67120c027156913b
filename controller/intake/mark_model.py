"""Graphs with one more output, and what FP32 makes of it. Runs in the model child: graphs are hostile files."""

from collections.abc import Callable
from pathlib import Path

from controller.intake.exchange import Marked, ModelAnswer, ModelRequest
from controller.intake.graph.tensors import read_npy, write_npy
from controller.intake.lowering.marking import label_of, mark_file, suspects, value_of


def mark(request: ModelRequest, progress: Callable[[str], None]) -> ModelAnswer:
    """Without a tensor: which ones could be marked. Raises ModelError."""
    wanted, out = request.mark, Path(request.out)
    if wanted is None:
        raise ValueError("nothing is asked")
    fp32, graphs = Path(wanted.fp32), [Path(path) for path in wanted.graphs]
    if not wanted.tensor:
        return ModelAnswer((), 0, (), suspects=tuple(suspects(fp32, graphs, wanted.outputs)))
    inputs = {name: read_npy(Path(path), steps=("model",)) for name, path in wanted.inputs}
    reference = out / "reference.npy"
    write_npy(reference, value_of(fp32, wanted.tensor, inputs))
    files = [out / f"marked-{index}.onnx" for index in range(len(graphs))]
    for graph, file in zip(graphs, files, strict=True):
        mark_file(graph, wanted.tensor, file)
    made = Marked(label_of(wanted.tensor), tuple(map(str, files)), str(reference))
    return ModelAnswer((), 0, (), marked=made)
