"""Only a look: the model as a job would use it, held against its reference at two batch sizes. Runs in the model child.

A PyTorch model's export is held against PyTorch; an ONNX file, as ONNX Runtime optimises it, against the plain graph.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from controller.intake.exchange import ModelAnswer, ModelRequest
from controller.intake.graph import datasets, onnx_files
from controller.intake.graph.accuracy_output import by_classes
from controller.intake.graph.agreement import agree
from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.rounded_outputs import rounded_outputs_of
from controller.intake.graph.shapes import check_dims, refused_batches
from controller.intake.graph.tensors import make as make_input
from controller.intake.jobfile.yaml import Steps
from controller.intake.model_report import Agreement, ModelReport, Port
from controller.intake.model_source import ModelSource, open_source

_BATCHES = (1, 3)


def check(request: ModelRequest, progress: Callable[[str], None]) -> ModelAnswer:
    """Raises ModelError."""
    folder = Path(request.out) / "model"
    folder.mkdir(parents=True)
    source = open_source(request, folder, progress)
    signature = source.signature
    for error in refused_batches(signature, request.batches).values():
        raise error
    check_dims(signature, request.dims, request.inputs)
    if request.evaluation:
        largest = max([signature.own_batch, *(batch for batch, _ in request.batches)])
        classes = by_classes(request.accuracy_metrics)
        datasets.load(Path(request.folder) / request.evaluation, signature, largest_batch=largest, classes=classes)
    found = ReferenceSession(source.graph.path, optimised=not request.torch)
    agreements = []
    for batch in _BATCHES if signature.dynamic else (signature.own_batch,):
        progress(f"comparing the outputs for batch {batch}")
        agreements.append(_agreement(request, source, found, batch))
    report = _describe(request, source, agreements)
    return ModelAnswer(signature.inputs, signature.own_batch, (), report=report)


def _agreement(request: ModelRequest, source: ModelSource, candidate: ReferenceSession, batch: int) -> Agreement:
    folder = Path(request.folder)
    inputs = {item.name: make_input(item, batch, seed=request.seed, folder=folder) for item in source.signature.inputs}
    told = "the export answers differently from PyTorch" if request.torch else "optimising the graph changes its answer"
    steps: Steps = ("model", "torch" if request.torch else "onnx")
    found, wanted = candidate.run(inputs), source.run(inputs)
    rounded = rounded_outputs_of(source.graph.path, wanted)
    errors = {
        name: agree(name, found[name], array, told=told, steps=steps, rounded=name in rounded)
        for name, array in wanted.items()
    }
    worst = max(errors, key=errors.__getitem__)
    return Agreement(batch, errors[worst], worst)


def _describe(request: ModelRequest, source: ModelSource, agreements: Iterable[Agreement]) -> ModelReport:
    graph = source.graph
    model = onnx.load_model(str(graph.path), load_external_data=False)
    files = [graph.path, *(graph.folder / name for name in graph.data)]
    return ModelReport(
        inputs=tuple(Port(item.name, item.dtype, item.dims) for item in graph.inputs),
        outputs=tuple(map(_port, model.graph.output)),
        opset=next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx")),
        size_bytes=sum(path.stat().st_size for path in files),
        reference="PyTorch" if request.torch else f"ONNX Runtime {onnxruntime.__version__}, unoptimised",
        exporter=request.exporter if request.torch else "",
        cached=getattr(source, "cached", False),
        agreements=tuple(agreements),
        files=tuple(map(str, files)),
    )


def _port(item: onnx.ValueInfoProto) -> Port:
    tensor = item.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return Port(item.name, dtype.name, tuple(map(onnx_files.dim_of, tensor.shape.dim)))
