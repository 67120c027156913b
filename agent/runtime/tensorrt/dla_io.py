"""A DLA without the GPU: inputs and outputs in the DLA's own type and formats, since converting them runs on the GPU.

As trtexec does it for --useDLACore without --allowGPUFallback; what lies in such a format is converted on the host.
"""

from types import ModuleType
from typing import TYPE_CHECKING

from agent.runtime.gpu.layout import TensorLayout
from agent.runtime.tensorrt.network import numpy_name
from jetfleet.errors import BadInput
from jetfleet.tensorrt import NO_FALLBACK_INT8

if TYPE_CHECKING:
    import tensorrt as trt

_WHERE = "options.gpu_fallback"
_LEAST_RANK = 3  # of a tensor in one of these formats
_FLOATS = ("float32", "float16")
_VECTORS = {"CHW2": 2, "CHW4": 4, "CHW16": 16, "CHW32": 32}
_ROW_BYTES = 64


def set_formats(
    trt: ModuleType, config: "trt.IBuilderConfig", network: "trt.INetworkDefinition", *, typed: bool, int8: bool
) -> None:
    """Half precision in CHW16 or DLA_LINEAR, whichever TensorRT prefers.

    Raises BadInput for what would need the GPU all the same.
    """
    if int8 and not typed:
        raise BadInput(NO_FALLBACK_INT8, where=_WHERE, expected="fp16", hint="gpu_fallback: on")
    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    tensors += [network.get_output(index) for index in range(network.num_outputs)]
    _refuse_mixed(tensors)
    for tensor in tensors:
        _refuse(tensor, typed=typed)
    formats = 1 << int(trt.TensorFormat.CHW16) | 1 << int(trt.TensorFormat.DLA_LINEAR)
    for tensor in tensors:
        if not typed:
            tensor.dtype = trt.DataType.HALF
        tensor.allowed_formats = formats
    direct = getattr(trt.BuilderFlag, "DIRECT_IO", None)
    if direct is not None:
        config.set_flag(direct)


def layout(
    engine: "trt.ICudaEngine", context: "trt.IExecutionContext", name: str, itemsize: int
) -> TensorLayout | None:
    """How an input or output of an engine lies in memory; None: row by row. Raises BadInput for a form unknown here."""
    form = str(engine.get_tensor_format(name).name)
    if form == "LINEAR":
        return None
    shape, strides = tuple(context.get_tensor_shape(name)), tuple(context.get_tensor_strides(name))
    if form == "DLA_LINEAR":
        row = _ROW_BYTES // itemsize
        # As documented, unless the engine says that its rows are longer.
        return TensorLayout(axis=len(shape) - 1, row=max(row, strides[-2] if strides[-2] > shape[-1] else row))
    vector, axis = int(engine.get_tensor_components_per_element(name)), int(engine.get_tensor_vectorized_dim(name))
    found = TensorLayout(vector=vector, axis=axis)
    if _VECTORS.get(form) != vector or strides[0] * shape[0] > _volume(found.stored_shape(shape)):
        raise BadInput(
            f"tensor {name!r} lies in memory as {engine.get_tensor_format_desc(name)}, which is not known here",
            where="placement",
            expected="LINEAR, DLA_LINEAR, CHW16 or CHW32",
            hint="gpu_fallback: on",
        )
    return found


def _volume(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _refuse_mixed(tensors: "list[trt.ITensor]") -> None:
    kinds = sorted({numpy_name(tensor.dtype) for tensor in tensors})
    if len(kinds) > 1 or kinds[0] not in _FLOATS:
        raise BadInput(
            f"without the GPU a DLA reads and writes half precision, and inputs and outputs are {', '.join(kinds)}",
            where=_WHERE,
            expected="all of them float32, or all float16",
            hint="gpu_fallback: on",
        )


def _refuse(tensor: "trt.ITensor", *, typed: bool) -> None:
    kind = "input" if tensor.is_network_input else "output"
    if typed and numpy_name(tensor.dtype) != "float16":
        raise BadInput(
            f"{kind} {tensor.name!r} is float32, and the cast to half precision in a strongly typed network runs on "
            "the GPU",
            where=_WHERE,
            expected="float16",
            hint="give the model float16 inputs and outputs, or gpu_fallback: on",
        )
    if len(tensor.shape) < _LEAST_RANK:
        raise BadInput(
            f"{kind} {tensor.name!r} has {len(tensor.shape)} dimensions, and a DLA's own formats have three or more",
            where=_WHERE,
            expected="[batch, channels, height, width]",
            hint="end the model with a 1x1 convolution instead of Gemm, or gpu_fallback: on",
        )
