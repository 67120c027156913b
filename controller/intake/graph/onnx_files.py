"""ONNX files, which are hostile input: checked, laid out anew under names of our own, and asked for their inputs.

Runs only in the model child. External data is followed to regular files inside the model's folder and nowhere else.
"""

import math
import os
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from controller.intake.graph.dim_names import is_unknown
from controller.intake.graph.nodes import messages
from controller.intake.graph.normalise import has_shape, has_type, held_names, normalise
from controller.intake.graph.output_types import type_outputs
from controller.intake.graph.shapes import GraphDim, GraphInput
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps
from controller.model.job import GRAPH_DATA

MODEL_NAME = "model.onnx"
OPSETS = range(7, 24)  # what ONNX Runtime 1.23, the last one for JetPack 6, runs
_AT: Steps = ("model", "onnx")
_MAX_PROTO_BYTES = (1 << 31) - 1
_SAVE_AGAIN = "copy the model and its data files once more, from where it was exported, all into one folder"
_PACKED = frozenset(
    getattr(onnx.TensorProto, name)
    for name in ("INT4", "UINT4", "INT2", "UINT2", "FLOAT4E2M1")
    if hasattr(onnx.TensorProto, name)
)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,150}")


@dataclass(frozen=True)
class GraphFiles:
    """A model as we graph it out: `folder/model.onnx`, and its external data as plain names beside it."""

    folder: Path
    data: tuple[str, ...]
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    changes: tuple[str, ...] = ()  # what was normalised in the user's file

    @property
    def path(self) -> Path:
        return self.folder / MODEL_NAME


def lay_out(source: Path, folder: Path) -> GraphFiles:
    """Copies a user's model into an empty folder, checked. Raises ModelError."""
    model = _parse(source)
    changes = normalise(model)
    _check_opset(model)
    names = _take_data(model, source.parent, folder)
    target = folder / MODEL_NAME
    if changes or any(old != new for old, new in names.items()):
        target.write_bytes(model.SerializeToString(deterministic=True))
    else:
        shutil.copyfile(source, target)
    if not all(map(has_type, model.graph.output)):
        changes.append(type_outputs(model, target))
        target.write_bytes(model.SerializeToString(deterministic=True))
    return replace(describe(folder, tuple(names.values()), model), changes=tuple(changes))


def describe(folder: Path, data: Sequence[str], model: onnx.ModelProto) -> GraphFiles:
    """Checks a model where it lies and reads its signature. Raises ModelError."""
    _check(folder / MODEL_NAME, model)
    held = held_names(model.graph)
    inputs = tuple(_graph_input(item) for item in model.graph.input if item.name not in held)
    return GraphFiles(folder, tuple(data), inputs, tuple(item.name for item in model.graph.output))


def _check(path: Path, model: onnx.ModelProto) -> None:
    """An output whose shape nobody knows is allowed here, and not by onnx's checker: it is shown a copy with some."""
    bare = [item.name for item in model.graph.output if not has_shape(item)]
    checked = path.with_name("checked.onnx") if bare else path
    if bare:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        for item in copy.graph.output:
            if item.name in bare:
                item.type.tensor_type.shape.SetInParent()
        checked.write_bytes(copy.SerializeToString())
    try:
        onnx.checker.check_model(str(checked))
    except onnx.checker.ValidationError as error:
        hint = "export it again; onnx.checker.check_model shows the same"
        message = f"not a valid ONNX model: {first_line(error)}"
        raise ModelError(message, steps=_AT, expected="a file that onnx.checker takes", hint=hint) from error
    finally:
        if bare:
            checked.unlink()


def first_line(error: BaseException, *, limit: int = 300) -> str:
    """The first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:limit]


def _parse(source: Path) -> onnx.ModelProto:
    try:
        status = source.stat()
    except OSError as error:
        hint = "a relative path starts at the job file's folder"
        raise ModelError(f"{source}: {error.strerror}", steps=_AT, expected="an ONNX file", hint=hint) from error
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{source} is not a regular file", steps=_AT, expected="an ONNX file")
    if status.st_size > _MAX_PROTO_BYTES:
        hint = "save its weights as external data"
        raise ModelError(f"{source.name} is over 2 GiB", steps=_AT, expected="at most 2 GiB of graph", hint=hint)
    try:
        model = onnx.load_model_from_string(source.read_bytes())
    except Exception as error:  # protobuf's own, which only the wire may import
        raise ModelError(f"{source.name} does not parse as ONNX", steps=_AT, expected="an ONNX file") from error
    if not model.HasField("graph"):
        raise ModelError(f"{source.name} holds no ONNX graph", steps=_AT, expected="an ONNX file")
    return model


def _check_opset(model: onnx.ModelProto) -> None:
    found = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), None)
    if found is not None and found not in OPSETS:
        expected = f"opset {OPSETS.start} to {OPSETS.stop - 1}"
        hint = "export it again, or use onnx.version_converter"
        raise ModelError(f"opset {found} is not supported", steps=_AT, expected=expected, hint=hint)


def _take_data(model: onnx.ModelProto, source: Path, folder: Path) -> dict[str, str]:
    """Copies external data beside our copy of the model; returns each location and its new, plain name."""
    names: dict[str, str] = {}
    for tensor in messages(model, onnx.TensorProto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entry = next((item for item in tensor.external_data if item.key == "location"), None)
        if entry is None or not entry.value:
            raise ModelError(f"tensor {tensor.name!r} keeps its data nowhere", steps=_AT, expected="a location")
        if entry.value not in names:
            name = _new_name(entry.value, names)
            shutil.copyfile(_inside(source, entry.value, tensor.name), folder / name)
            names[entry.value] = name
        _refuse_cut_short(tensor, (folder / names[entry.value]).stat().st_size, entry.value)
        entry.value = names[entry.value]
    return names


def _refuse_cut_short(tensor: onnx.TensorProto, size_bytes: int, file: str) -> None:
    keys = {item.key: item.value for item in tensor.external_data}
    try:
        offset = int(keys.get("offset", "0"))
        needed = int(keys["length"]) if "length" in keys else _bytes_of(tensor)
    except ValueError as error:
        message = f"the place of tensor {tensor.name!r} in {file} is not a number"
        raise ModelError(message, steps=_AT, expected="an offset and a length in bytes", hint=_SAVE_AGAIN) from error
    if offset < 0 or needed < 0 or offset + needed > size_bytes:
        raise ModelError(
            f"{file} is cut short: it has {size_bytes} bytes, and tensor {tensor.name!r} is bytes {offset} to "
            f"{offset + needed} of it",
            steps=_AT,
            expected=f"a file of {offset + needed} bytes or more",
            hint=_SAVE_AGAIN,
        )


def _bytes_of(tensor: onnx.TensorProto) -> int:
    """As its type and shape say; types of less than a byte are not counted."""
    try:
        width = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
    except (KeyError, TypeError):
        return 0
    return math.prod(tensor.dims) * width if tensor.data_type not in _PACKED else 0


def _new_name(location: str, taken: dict[str, str]) -> str:
    reserved = (MODEL_NAME, *GRAPH_DATA.values(), *taken.values())
    plain = _PLAIN_NAME.fullmatch(location) and location not in reserved
    return location if plain else f"data-{len(taken)}.bin"


def _inside(folder: Path, location: str, tensor: str) -> Path:
    """The file that a location means. Raises ModelError unless it is a regular file inside the model's folder."""
    root = folder.resolve()
    path = root / location
    if "\0" in location or os.path.isabs(location) or ".." in Path(location).parts:
        problem = "leaves the model's folder"
    elif not path.resolve().is_relative_to(root):
        problem = "is a link that leaves the model's folder"
    elif not path.exists():
        problem = "does not exist"
    elif not path.is_file():
        problem = "is not a regular file"
    elif _is_linked_from_elsewhere(path.resolve(), root):
        problem = "is a hard link to a file that has a name outside of the model's folder"
    else:
        return path.resolve()
    raise ModelError(
        f"external data {location[:200]!r} of tensor {tensor!r} {problem}",
        steps=_AT,
        expected=f"a regular file inside {folder}",
        hint=f"copy the file into {folder}" if "link" in problem else _SAVE_AGAIN,
    )


def _is_linked_from_elsewhere(path: Path, root: Path) -> bool:
    """Whether some name of the file is not below the folder: whoever can write there could hand out any file."""
    status = path.stat()
    if status.st_nlink == 1:
        return False
    names = (Path(folder) / name for folder, _, files in os.walk(root) for name in files)
    return sum(not item.is_symlink() and item.samefile(path) for item in names) < status.st_nlink


def _graph_input(item: onnx.ValueInfoProto) -> GraphInput:
    steps: Steps = ("model", "onnx")
    if not item.type.HasField("tensor_type"):
        raise ModelError(f"input {item.name!r} is not a tensor", steps=steps, expected="tensors only")
    tensor = item.type.tensor_type
    if not tensor.HasField("shape"):
        raise ModelError(f"input {item.name!r} declares no shape", steps=steps, expected="a number of dimensions")
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError) as error:
        raise ModelError(f"input {item.name!r} has no element type", steps=steps) from error
    if dtype.kind not in "fiub" or dtype.name == "bfloat16":
        held = "texts" if dtype.kind == "O" else dtype.name
        raise ModelError(f"input {item.name!r} holds {held}", steps=steps, expected="numbers or booleans")
    return GraphInput(item.name, dtype.name, tuple(dim_of(dim) for dim in tensor.shape.dim))


def dim_of(dim: onnx.TensorShapeProto.Dimension) -> GraphDim:
    """A size, a name, or None; some exporters write an open dimension as the size -1 or 0, or name it `?`."""
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value > 0 else None
    return None if is_unknown(dim.dim_param) else dim.dim_param.strip()
