"""Which layers of a network run at all, and which of them a DLA takes, asked of TensorRT before the build."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agent.runtime.base import BuildRefused
from agent.runtime.tensorrt.dla_placement import NetworkLayer, way_out
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import DlaReport

if TYPE_CHECKING:
    import tensorrt as trt

_NAMED = 20  # layers in a refusal
# What may give another value each time, or belongs to a loop, whatever it reads.
_NEVER_CONSTANT = frozenset(
    ("FILL", "PLUGIN", "PLUGIN_V2", "PLUGIN_V3", "RECURRENCE", "ITERATOR", "LOOP_OUTPUT", "TRIP_LIMIT", "CONDITION")
)


def refuse_without_cores(cores: int) -> None:
    if not cores:
        raise BadInput(
            "this board has no DLA",
            where="placement",
            expected="a board with one: Orin NX, AGX Orin (not Orin Nano, not Thor)",
            hint="placement: gpu",
        )


def running_layers(network: "trt.INetworkDefinition", *, typed: bool) -> "list[trt.ILayer]":
    """Without what the builder works out itself: constants, and what is made of them alone, such as the Q/DQ pair and
    the shuffle of a weight.

    `typed`: without the casts at the network's edges either, which a DLA's strongly typed network has on the GPU.
    """
    known: set[str] = set()
    running: list[trt.ILayer] = []
    for layer in (network.get_layer(index) for index in range(network.num_layers)):
        if _is_constant(layer, known):
            known.update(tensor.name for tensor in _outputs(layer))
        elif not (typed and _is_edge_cast(layer)):
            running.append(layer)
    return running


def eligibility(config: "trt.IBuilderConfig", layers: "Iterable[trt.ILayer]") -> list[NetworkLayer]:
    """For the device, the precision and the shapes that the config has already. TensorRT logs why not, if it does."""
    return [NetworkLayer(layer.name, str(layer.type.name), bool(config.can_run_on_DLA(layer))) for layer in layers]


def refuse_partial(on_gpu: Sequence[DlaReport.Fallback], layers: int) -> None:
    """For `dla_require: full`. Raises BuildRefused with the layers that run on the GPU, and why."""
    if not on_gpu:
        return
    named = [f"{item.layer} ({item.type}): {item.reason}" for item in on_gpu]
    more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    raise BuildRefused(
        f"{len(on_gpu)} of {layers} layers do not run on the DLA: {'; '.join(named[:_NAMED])}{more}",
        where="options.dla_require",
        expected="every layer on the DLA",
        hint=way_out(on_gpu),
    )


def _is_constant(layer: "trt.ILayer", known: set[str]) -> bool:
    kind, inputs = str(layer.type.name), _inputs(layer)
    if kind == "CONSTANT":
        return True
    if kind == "SHAPE":
        return all(size >= 0 for tensor in inputs for size in tensor.shape)
    return kind not in _NEVER_CONSTANT and bool(inputs) and all(tensor.name in known for tensor in inputs)


def _is_edge_cast(layer: "trt.ILayer") -> bool:
    if str(layer.type.name) != "CAST":
        return False
    inputs, outputs = _inputs(layer), _outputs(layer)
    return all(item.is_network_input for item in inputs) or all(item.is_network_output for item in outputs)


def _inputs(layer: "trt.ILayer") -> "list[trt.ITensor]":
    tensors = (layer.get_input(index) for index in range(layer.num_inputs))
    return [tensor for tensor in tensors if tensor is not None]


def _outputs(layer: "trt.ILayer") -> "list[trt.ITensor]":
    return [layer.get_output(index) for index in range(layer.num_outputs)]
