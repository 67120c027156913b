"""Where the layers of a network went whose build asked for a DLA: what its log and the engine's inspector say. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.runtime.tensorrt.dla_log import DlaLog, read_log, reason, stands_in
from agent.runtime.tensorrt.layers import Layer
from jetfleet.v1.task_pb2 import DlaReport

# The builder folds these into their neighbours or takes them away, so that only the finished build tells of them.
_FOLDED = frozenset({"CAST", "DEQUANTIZE", "IDENTITY", "QUANTIZE", "SHUFFLE"})
_PRODUCTS = frozenset({"MATRIX_MULTIPLY", "FULLY_CONNECTED"})  # what a Gemm or MatMul becomes
_REGION = re.compile(r"\{ForeignNode\[(?P<first>.+?)(?:\.\.\.(?P<last>.+?))?\]\}")
_COPY = re.compile(r"^Reformatting CopyNode|^Reformat\b")
_PRODUCT_HINT = "replace Gemm by a 1x1 convolution"


@dataclass(frozen=True)
class NetworkLayer:
    """A layer that runs, TensorRT's word for its type, and whether it says before the build that a DLA takes it."""

    name: str
    type: str
    can_run: bool


def certain_fallbacks(layers: Iterable[NetworkLayer], log_lines: Iterable[str]) -> list[DlaReport.Fallback]:
    """Those that are known before the build."""
    return _fallbacks([layer for layer in layers if layer.type not in _FOLDED], [], read_log(log_lines))


def dla_report(layers: Sequence[NetworkLayer], engine_layers: Sequence[Layer], log_lines: Iterable[str]) -> DlaReport:
    """What TensorRT lists at the end of a build stands; without its list, the engine's own layers do."""
    log = read_log(log_lines)
    on_gpu = _fallbacks(layers, engine_layers, log)
    return DlaReport(
        layers_on_dla=len(layers) - len(on_gpu),
        layers_on_gpu=len(on_gpu),
        subgraphs=len(log.on_dla) if log.tells_placement else sum(layer.on_dla for layer in engine_layers),
        fallbacks=on_gpu,
    )


def way_out(on_gpu: Iterable[DlaReport.Fallback]) -> str:
    """What a network whose layers are not all taken can do about it."""
    products = any(item.type in _PRODUCTS for item in on_gpu)
    return f"dla_require: partial, or {_PRODUCT_HINT if products else 'change these layers'}"


def _fallbacks(layers: Sequence[NetworkLayer], engine_layers: Sequence[Layer], log: DlaLog) -> list[DlaReport.Fallback]:
    entries = log.on_gpu if log.tells_placement else _on_gpu(engine_layers)
    told = log.tells_placement or bool(engine_layers)
    listed = {name for entry in entries for name in _named(entry, layers)}
    return [
        DlaReport.Fallback(layer=item.name, type=item.type, reason=reason(item.type, log.switched.get(item.name, "")))
        for item in layers
        if item.name in listed or (_refused(item, log) and not (told and item.type in _FOLDED))
    ]


def _refused(layer: NetworkLayer, log: DlaLog) -> bool:
    return not layer.can_run or layer.name in log.switched


def _on_gpu(engine_layers: Iterable[Layer]) -> list[str]:
    ran = (layer for layer in engine_layers if not layer.on_dla and layer.type != "Reformat")
    return [layer.name for layer in ran if not _COPY.search(layer.name)]


def _named(entry: str, layers: Sequence[NetworkLayer]) -> Iterator[str]:
    """The layers of an entry, alone, fused, or in a region that is called by its first and its last one."""
    yield from (item.name for item in layers if stands_in(item.name, entry))
    found = _REGION.search(entry)
    names = [item.name for item in layers]
    if found and found["last"] in names and found["first"] in names:
        between = layers[names.index(found["first"]) : names.index(found["last"])]
        yield from (item.name for item in between if not item.can_run)
