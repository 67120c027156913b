"""From an ONNX file to a TensorRT network: parsed, its inputs held against the task's, its shapes in a profile."""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from agent.runtime.base import BuildRefused
from agent.runtime.tensorrt.ability import Ability, creation_flags
from agent.runtime.tensorrt.log import BuilderLog, begin, listen, make_recorder, trimmed
from agent.runtime.tensorrt.opset import read_opset
from jetfleet.errors import BadInput
from jetfleet.tensorrt import NEWEST_OPSET
from jetfleet.v1.task_pb2 import TensorSpec

if TYPE_CHECKING:
    import tensorrt as trt

_log = logging.getLogger(__name__)

# What is wrong with the file itself; anything else is what this TensorRT does not take.
_UNREADABLE = ("MODEL_DESERIALIZE_FAILED", "INVALID_VALUE", "INVALID_GRAPH")
_NO_FILE = re.compile(r"Failed to open file: (?P<path>\S+)")
_NO_OPERATOR = re.compile(r"plugin not found|no importer registered|^\(?false\)?$", re.IGNORECASE)
# 8.x says which node it was in the log alone.
_NODE = re.compile(r'While parsing node number (?P<index>\d+) \[(?P<operator>\w+) -> "(?P<output>[^"]*)"')
_NODE_NAME = re.compile(r'^(?:Node name: |name: ")(?P<name>[^"\n]+)', re.MULTILINE)
_NAMED = re.compile(r"\w")
_MOST_ERRORS = 3  # of the parser's errors
_INT64, _INT32 = "int64", "int32"
_NUMPY = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BOOL": "bool",
    **{f"INT{bits}": f"int{bits}" for bits in (8, 32, 64)},
    "UINT8": "uint8",
}


class Draft:
    """A network on its way to an engine, with everything that TensorRT must not lose before it.

    The recorder is set after the network was made and taken away before that goes: some versions of TensorRT crash on
    a network that is older, or outlives it.
    """

    builder: "trt.Builder"
    network: "trt.INetworkDefinition"
    parser: "trt.OnnxParser"

    def __init__(self, trt: ModuleType, builder_log: BuilderLog, *, typed: bool) -> None:
        self._logger = listen(trt, builder_log)
        self._recorder = make_recorder(trt, builder_log)
        self.builder = begin(lambda: trt.Builder(self._logger), builder_log)
        self.network = self.builder.create_network(creation_flags(trt, typed=typed))
        self.builder.error_recorder = self._recorder
        self.parser = trt.OnnxParser(self.network, self._logger)

    def close(self) -> None:
        """In the order in which TensorRT wants to lose them; harmless when repeated."""
        if "builder" in self.__dict__:
            self.builder.error_recorder = cast(Any, None)
        for name in ("parser", "network", "builder"):
            self.__dict__.pop(name, None)


def parse(
    trt: ModuleType, draft: Draft, model: Path, builder_log: BuilderLog, able: Ability, *, adjust_for_dla: bool
) -> None:
    """From the file and not from its bytes: external weights lie beside it.

    Raises BadInput for a file that cannot be read, BuildRefused, naming node and operator, for one that this TensorRT
    does not take, MemoryError.
    """
    opset = read_opset(model)
    _check_opset(opset, able, model.name)
    parser = draft.parser
    parser.set_flag(trt.OnnxParserFlag.NATIVE_INSTANCENORM)  # the default from 10.0 on
    adjust = getattr(trt.OnnxParserFlag, "ADJUST_FOR_DLA", None)
    if adjust_for_dla and adjust is not None:
        parser.set_flag(adjust)
    parsed = parser.parse_from_file(str(model))
    newer = "" if opset is None or able.opset is None or opset <= able.opset else _newer(opset, able)
    if not parsed:
        raise _refusal(parser, builder_log, model.name, newer)
    if newer:
        builder_log.warn(f"{newer}; its parser took the graph all the same")
    if draft.network.num_inputs == 0 and draft.network.num_layers == 0:
        raise BadInput("the model cannot be read: it holds no graph", where=model.name)


def _check_opset(opset: int | None, able: Ability, where: str) -> None:
    """A parser takes any opset and reads its operators as it knows them; nobody can know those of this one."""
    if opset is not None and able.opset is not None and opset > NEWEST_OPSET:
        raise BadInput(
            _newer(opset, able),
            where=where,
            expected=f"opset {able.opset} or older",
            hint=f"export the model with opset {able.opset}",
        )


def _newer(opset: int, able: Ability) -> str:
    return f"the graph's opset {opset} is too new: {able.label} documents operators up to opset {able.opset}"


def _refusal(parser: "trt.OnnxParser", builder_log: BuilderLog, where: str, newer: str) -> Exception:
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    codes = [_code(error) for error in errors]
    if builder_log.out_of_memory() or "MEM_ALLOC_FAILED" in codes:
        return MemoryError(f"TensorRT's parser ran out of memory: {builder_log.reason()}")
    described = (
        "; ".join(_describe_error(error, builder_log) for error in errors[:_MOST_ERRORS]) or builder_log.reason()
    )
    more = f" (and {len(errors) - _MOST_ERRORS} more)" if len(errors) > _MOST_ERRORS else ""
    hint = newer and f"{newer}: export the model with an older opset"
    if no_file := _NO_FILE.search("\n".join(builder_log.errors)):
        return BadInput(
            f"the model cannot be read: there is no file {Path(no_file['path']).name!r} beside it",
            where=where,
            hint="the files with its external weights belong to the task, by the names that the graph knows them by",
        )
    if any(code in _UNREADABLE for code in codes):
        return BadInput(f"the model cannot be read: {described}{more}", where=where, hint=hint)
    return BuildRefused(f"TensorRT's parser refused the model: {described}{more}", where=where, hint=hint)


def _describe_error(error: "trt.ParserError", builder_log: BuilderLog) -> str:
    """`node 1 'bern' (Bernoulli): operator Bernoulli is not supported`, as far as this TensorRT tells."""
    index = int(error.node())
    description = trimmed(str(error.desc()))
    name, operator = _node(error, builder_log)
    if operator and (_NO_OPERATOR.search(description) or _code(error).startswith("UNSUPPORTED_NODE")):
        kept = "" if _NO_OPERATOR.search(description) else f" as it is used here ({description})"
        description = f"operator {operator} is not supported{kept}"
    if index < 0 and not operator:
        return description
    return f"node {index} {name!r} ({operator or 'unknown operator'}): {description}"


def _node(error: "trt.ParserError", builder_log: BuilderLog) -> tuple[str, str]:
    """Name and operator of the node, from the error (10.0 and later) or from the log."""
    name, operator = getattr(error, "node_name", None), getattr(error, "node_operator", None)
    if name is not None and operator is not None:
        return str(name()), str(operator())
    lines = "\n".join(builder_log.errors)
    node, named = _NODE.search(lines), _NODE_NAME.search(lines)
    return (named["name"] if named else ""), (node["operator"] if node else "")


def _code(error: "trt.ParserError") -> str:
    return str(error.code().name)


def check_inputs(trt: ModuleType, network: "trt.INetworkDefinition", inputs: Iterable[TensorSpec]) -> None:
    """Raises BadInput unless each input of the network is given, with its type and a shape that it can have, and each
    output has a type that can be read."""
    for index in range(network.num_outputs):
        output = network.get_output(index)
        refuse_unknown_type(output.name, numpy_name(output.dtype))
    specs = {spec.name: spec for spec in inputs}
    tensors = {tensor.name: tensor for tensor in _inputs(network)}
    if set(specs) != set(tensors):
        raise BadInput(f"the task gives inputs {sorted(specs)}", where="inputs", expected=str(sorted(tensors)))
    for name, tensor in tensors.items():
        _check_type(trt, tensor, specs[name])
        _check_shapes(tuple(tensor.shape), specs[name])
        _check_order(specs[name])


def _check_type(trt: ModuleType, tensor: "trt.ITensor", spec: TensorSpec) -> None:
    if tensor.is_shape_tensor:
        raise BadInput(f"input {spec.name!r} holds a shape, whose values an engine must be built for", where="inputs")
    dtype = numpy_name(tensor.dtype)
    refuse_unknown_type(spec.name, dtype)
    if device_type(trt, spec.dtype) != dtype:
        raise BadInput(f"input {spec.name!r} is given as {spec.dtype}", where="inputs", expected=dtype)


def _check_shapes(shape: Sequence[int], spec: TensorSpec) -> None:
    for label, given in bounds(spec).items():
        if not _fits(given, shape):
            raise BadInput(
                f"input {spec.name!r} cannot have the shape {list(given)}" + (f" ({label})" if label else ""),
                where="inputs",
                expected=str(list(shape)).replace("-1", "any"),
            )


def fix_shapes(network: "trt.INetworkDefinition", inputs: Iterable[TensorSpec]) -> None:
    """Gives each input the one shape that it is built for, for a DLA, which takes no layer of an unknown dimension.

    A profile of one shape is enough for an engine, but leaves the dimension unknown in the network that
    `can_run_on_DLA` is asked about.
    """
    opts = {spec.name: span(spec)[1] for spec in inputs}
    for tensor in _inputs(network):
        if any(size < 0 for size in tensor.shape):
            tensor.shape = cast(Any, opts[tensor.name])


def add_profile(
    builder: "trt.Builder",
    config: "trt.IBuilderConfig",
    network: "trt.INetworkDefinition",
    inputs: Iterable[TensorSpec],
) -> "trt.IOptimizationProfile | None":
    """One profile for all inputs; None for a network whose every dimension is fixed, which needs none."""
    if all(size >= 0 for tensor in _inputs(network) for size in tensor.shape):
        return None
    profile = builder.create_optimization_profile()
    for spec in inputs:
        least, opt, most = span(spec)
        profile.set_shape(spec.name, least, opt, most)
    _separate_dimension_names(network)
    if config.add_optimization_profile(profile) < 0:
        raise BuildRefused("TensorRT does not take the optimisation profile", where="inputs")
    return profile


def _separate_dimension_names(network: "trt.INetworkDefinition") -> None:
    """Some exporters call every unknown dimension `?`; to TensorRT dimensions of one name have one size.

    The first one keeps the name: TensorRT insists that it stays in use.
    """
    seen: set[str] = set()
    for tensor in _inputs(network):
        for index in (index for index, size in enumerate(tensor.shape) if size < 0):
            name = str(tensor.get_dimension_name(index) or "")
            if name in seen:
                tensor.set_dimension_name(index, f"{tensor.name}.{index}")
            elif name and not _NAMED.search(name):
                seen.add(name)


def span(spec: TensorSpec) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Least, opt and most shape; without a range they are one."""
    if not spec.HasField("range"):
        shape = tuple(spec.shape)
        return shape, shape, shape
    return tuple(spec.range.min), tuple(spec.range.opt), tuple(spec.range.max)


def bounds(spec: TensorSpec) -> dict[str, tuple[int, ...]]:
    """Every shape that a spec names, by what it is called."""
    least, opt, most = span(spec)
    ranged = {"min": least, "opt": opt, "max": most} if spec.HasField("range") else {}
    return {"": tuple(spec.shape), **ranged}


def device_type(trt: ModuleType, given: str) -> str:
    """Numpy's name of the type that an input has on the device: 8.x knows no INT64, and its parser reads INT32."""
    return _INT32 if given == _INT64 and not hasattr(trt.DataType, "INT64") else given


def numpy_name(dtype: Any) -> str:
    """Numpy's name of a trt.DataType; TensorRT's own for what numpy does not have."""
    return _NUMPY.get(str(dtype.name), str(dtype.name).lower())


def refuse_unknown_type(name: str, dtype: str) -> None:
    """An input or output whose values no array of the host holds: bfloat16, and what has fewer than eight bits."""
    if dtype not in _NUMPY.values():
        raise BadInput(
            f"tensor {name!r} is {dtype.upper()}, in which nothing is given to a model or read from it",
            where="inputs",
            expected=", ".join(sorted(_NUMPY.values())),
            hint="cast it at the edge of the model: float32 in, float32 out",
        )


def _inputs(network: "trt.INetworkDefinition") -> "list[trt.ITensor]":
    return [network.get_input(index) for index in range(network.num_inputs)]


def _fits(given: Sequence[int], shape: Sequence[int]) -> bool:
    return len(given) == len(shape) and all(size in (-1, wish) for size, wish in zip(shape, given, strict=True))


def _check_order(spec: TensorSpec) -> None:
    least, opt, most = span(spec)
    if not all(a <= b <= c for a, b, c in zip(least, opt, most, strict=True)):
        raise BadInput(
            f"input {spec.name!r} has a range of min {list(least)}, opt {list(opt)}, max {list(most)}",
            where="inputs",
            expected="min <= opt <= max in every dimension",
        )
