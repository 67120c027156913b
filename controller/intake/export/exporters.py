"""A module to ONNX by torch.export, or, only where job.yaml asks for it, by TorchScript tracing. Never by both."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnx
import onnx_ir
import torch

from controller.intake.export.failures import explain, fixed
from controller.intake.export.flattened import INNER
from controller.intake.export.user_module import UserModule
from controller.intake.graph import onnx_files
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError

# A protobuf ends at 2 GiB. Beyond half of that the weights go into a file of their own.
EXTERNAL_OVER_BYTES = 1 << 30


def by_torch_export(
    found: UserModule, example: Mapping[str, Array], outputs: Sequence[str], folder: Path, *, opset: int
) -> None:
    """Raises ModelError."""
    arguments, keywords = found.call_with(example)
    dims = {item.name: item.open for item in found.inputs}
    try:
        program = torch.onnx.export(
            found.flattened(),
            arguments,
            kwargs=keywords,
            input_names=list(dims),
            output_names=list(outputs),
            opset_version=opset,
            dynamic_shapes=dims if found.by_name else tuple(dims.values()),
            dynamo=True,
            verbose=False,
        )
    except Exception as error:
        raise explain(error, found.inputs) from error
    for value in list(program.model.graph.initializers.values()):
        value.name = (value.name or "").removeprefix(f"{INNER}.")
    save(program.model, folder)


def by_tracing(
    found: UserModule, example: Mapping[str, Array], outputs: Sequence[str], folder: Path, *, opset: int
) -> None:
    """The older exporter: it records one run, so a branch on a value is taken as the example took it."""
    arguments, keywords = found.call_with(example)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated is why it must be asked for
        try:
            torch.onnx.export(
                found.flattened(),
                arguments,
                str(folder / onnx_files.MODEL_NAME),
                kwargs=keywords,
                input_names=[item.name for item in found.inputs],
                output_names=list(outputs),
                opset_version=opset,
                dynamic_axes={item.name: item.open for item in found.inputs},
                dynamo=False,
            )
        except Exception as error:
            raise explain(error, found.inputs) from error


Exporter = Callable[..., None]
EXPORTERS: Mapping[str, Exporter] = {"dynamo": by_torch_export, "legacy": by_tracing}


def save(model: onnx_ir.Model, folder: Path) -> None:
    """Writes the export less the exporter's notes, which hold paths of this machine."""
    _forget_notes(model)
    tensors = (value.const_value for value in model.graph.initializers.values())
    large = sum(tensor.nbytes for tensor in tensors if tensor is not None) > EXTERNAL_OVER_BYTES
    data = f"{onnx_files.MODEL_NAME}.data" if large else None
    onnx_ir.save(model, str(folder / onnx_files.MODEL_NAME), external_data=data)


def _forget_notes(model: onnx_ir.Model) -> None:
    values = [*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()]
    nodes = list(onnx_ir.traversal.RecursiveGraphIterator(model.graph))
    for function in model.functions.values():
        nodes += onnx_ir.traversal.RecursiveGraphIterator(function)
        values += function.inputs
        function.metadata_props.clear()
    for node in nodes:
        node.doc_string = None
        node.metadata_props.clear()
        values += node.outputs
    for value in values:
        value.doc_string = None
        value.metadata_props.clear()
        if value.const_value is not None:
            value.const_value.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.metadata_props.clear()


def refuse_fixed(folder: Path, inputs: Sequence[Input]) -> None:
    """Raises ModelError if the export made a number of a size that was to stay open, or lost an input."""
    model = onnx.load_model(str(folder / onnx_files.MODEL_NAME), load_external_data=False)
    declared = {item.name: item.dims for item in onnx_files.describe(folder, (), model).inputs}
    for item in inputs:
        if item.name not in declared:
            raise ModelError(
                f"forward() does not use input {item.name!r}: it is not in the export",
                steps=("model", "inputs", item.name),
                expected="inputs that the outputs depend on",
            )
        for index in item.open:
            if isinstance(declared[item.name][index], int):
                raise fixed(item, index)
