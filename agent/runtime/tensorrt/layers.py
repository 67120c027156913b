"""What TensorRT's engine inspector and profiler say of an engine, read without TensorRT. Pure.

Two forms of JSON are read: that of 8.x and 10.x (one `Format/Datatype` a tensor) and that of 11.x (two fields). An
engine built without detailed verbosity tells the names of its layers and nothing else: their types stay empty, which
means unknown, never another type.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.runtime.base import Kernel, LayerTime
from jetfleet.errors import BadInput


@dataclass(frozen=True)
class Layer:
    """One layer of an engine as built. Types are numpy's names, one a tensor; an empty word means unknown."""

    name: str
    type: str = ""  # the inspector's word: CaskConvolution, Reformat, gemm, Myelin, ...
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    weights: str = ""
    tactic: str = ""
    on_dla: bool = False


# A region that another compiler than TensorRT's own made: Myelin's on a GPU, the DLA's where one was configured.
_REGION = re.compile(r"\{ForeignNode\[")
# The profiler's entries for tensors that a DLA is handed or hands back.
_EDGE = re.compile(r" (to nvm|from nvm|copy finish)$")
# Myelin's own kernels, which hide what they do in their names.
_OPAQUE = re.compile(r"kgen|fusion|myelin", re.IGNORECASE)
_HIDDEN = re.compile(r"mha|gemm", re.IGNORECASE)
# The words for types in all spellings: `Row major linear FP16 format`, `Half`, `Channel major INT8 format where ...`.
_WORD = re.compile(r"\b(float|half|double|bool|bf16|bfloat16|fp\d+|u?int\d+|float\d+)\b", re.IGNORECASE)
_NUMPY = {
    "float": "float32",
    "half": "float16",
    "double": "float64",
    "bf16": "bfloat16",
    "fp64": "float64",
    "fp32": "float32",
    "fp16": "float16",
    "fp8": "float8",
    "fp4": "float4",
}
# Three pairs close the name of a matrix kernel: in and out, product and sum, epilogue. The product's is what we want.
_T = "(?:tf32|bf16|f16|f32|i8|u8|e4m3|e5m2)"
_KERNEL = re.compile(rf"_{_T}{_T}_({_T}){_T.replace('tf32', 'tf32|i32')}_{_T}(?:_|$)")
_OPERAND = {"tf32": "float32", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8"}


def parse_layers(text: str, *, dla: bool = False) -> list[Layer]:
    """The layers in what the inspector told, in its order; none where it was told to keep silent.

    `dla`: a DLA was configured for this engine, so that regions which are not Myelin's are the DLA's. Without types
    (layer names only) every region counts as one.

    Raises BadInput for text that is not the inspector's.
    """
    if not text.strip():
        return []
    try:
        inspected = json.loads(text, strict=False)  # names and metadata hold control characters
    except ValueError as error:
        raise _unreadable(f"it is not JSON ({error})") from error
    entries = inspected.get("Layers", []) if isinstance(inspected, dict) else None
    if not isinstance(entries, list):
        raise _unreadable("it holds no list of layers")
    return [_layer(entry, dla) for entry in entries]


def kernels(layers: Sequence[Layer]) -> tuple[Kernel, ...]:
    """Each layer with the numeric type that it computes in; both empty where only its name was told."""
    return tuple(Kernel(_operator(layer), computed_in(layer) if layer.type else "") for layer in layers)


def dla_time_share(layers: Sequence[Layer], times: Sequence[LayerTime]) -> float | None:
    """The DLA's share of all layers' time, or None where nothing of the engine runs on one.

    A DLA is only handed its work; what waits for it is the copy of its first output (`X from nvm`), so the copies at a
    region's edges count as its time.
    """
    regions = {layer.name for layer in layers if layer.on_dla}
    total = sum(item.ms for item in times)
    if not regions or total <= 0:
        return None
    return sum(item.ms for item in times if item.name in regions or _EDGE.search(item.name)) / total


def computed_in(layer: Layer) -> str:
    """Numpy's name of the type of a layer's products, from its kernel's name or else its tensors; empty: unknown."""
    if named := _KERNEL.search(layer.tactic):
        return _OPERAND.get(named[1], "float8")
    if layer.on_dla:  # all of a region runs in one type, FP16 or INT8, and so do the tensors at its edges
        edges = set(layer.inputs + layer.outputs)
        return edges.pop() if len(edges) == 1 else ""
    if _REGION.search(layer.name) or layer.type == "Myelin":
        return ""  # its edges say nothing of its inside
    return next((name for name in (*layer.inputs[:1], layer.weights) if name), "")


def _operator(layer: Layer) -> str:
    if layer.on_dla:
        return "DLA"
    hidden = _HIDDEN.search(f"{layer.name} {layer.tactic}") if _OPAQUE.fullmatch(layer.type) else None
    return f"{layer.type} ({hidden[0].lower()})" if hidden else layer.type


def _layer(entry: object, dla: bool) -> Layer:
    if isinstance(entry, str):
        return Layer(entry, on_dla=dla and bool(_REGION.search(entry)))
    if not isinstance(entry, dict):
        raise _unreadable(f"a layer is {type(entry).__name__}")
    name, kind = str(entry.get("Name", "")), str(entry.get("LayerType", ""))
    weights = entry.get("Weights")
    return Layer(
        name,
        kind,
        inputs=_types(entry.get("Inputs")),
        outputs=_types(entry.get("Outputs")),
        weights=_numpy(str(weights.get("Type", ""))) if isinstance(weights, dict) else "",
        tactic=str(entry.get("TacticName", "")),
        on_dla="dla" in kind.lower() or (dla and kind != "Myelin" and bool(_REGION.search(name))),
    )


def _types(tensors: object) -> tuple[str, ...]:
    if not isinstance(tensors, list):
        return ()
    return tuple(_numpy(_format_of(tensor)) for tensor in tensors if isinstance(tensor, dict))


def _format_of(tensor: Mapping[str, Any]) -> str:
    """11.x has a field of its own for the type, spelt in two ways; before, it stands within the format."""
    return next((str(tensor[key]) for key in ("DataType", "Datatype", "Format/Datatype") if key in tensor), "")


def _numpy(words: str) -> str:
    """The type in a description such as `Row major linear FP16 format`; dynamic shapes leave it out."""
    found = _WORD.search(words)
    return _NUMPY.get(found[1].lower(), found[1].lower()) if found else ""


def _unreadable(why: str) -> BadInput:
    return BadInput(
        f"the engine inspector's answer cannot be read: {why}",
        where="engine inspector",
        expected='JSON with "Layers"',
        hint="build with profiling_verbosity detailed; if it was, this TensorRT writes a form that is not known here",
    )
