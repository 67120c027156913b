"""A strongly typed builder for real: TensorRT-RTX parses and builds without a GPU, and its log names every kernel."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

trt: Any = pytest.importorskip("tensorrt_rtx")

_KERNEL = re.compile(r"Name: (\S+), LayerType: (\w+), Inputs: \[(.*?)\], (?:Constants|Outputs)")
_PRODUCTS = frozenset({"correlation", "convolution", "deconvolution", "gemm", "runtime_fusion"})


@dataclass
class Engine:
    """What came of a build: problems, or the layers of the engine as the builder tells them."""

    problems: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)

    def products(self) -> list[str]:
        """The type of the first input of every kernel that multiplies and accumulates: Float, Half, Int8."""
        found = (_KERNEL.match(line) for line in self.layers)
        return [
            match[3].partition("Datatype: ")[2].partition(",")[0] for match in found if match and match[2] in _PRODUCTS
        ]


class _Log(trt.ILogger):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[Any, str]] = []

    def log(self, severity: Any, message: str) -> None:
        self.lines.append((severity, message))


_LOG = _Log()  # a process has one, whatever is handed to later builders


def build(graph: bytes, shapes: Mapping[str, Sequence[int]], path: str | None = None) -> Engine:
    """Parses and builds a strongly typed network for one compute capability; `shapes` settle what is open."""
    _LOG.lines.clear()
    builder = trt.Builder(_LOG)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, _LOG)
    if not parser.parse(graph, path):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        return Engine([f"{error.node_operator()} {error.node_name()}: {error.desc()}" for error in errors])
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        profile.set_shape(tensor.name, *[tuple(shapes[tensor.name])] * 3)
    config.add_optimization_profile(profile)
    made = builder.build_serialized_network(network, config)
    errors = [message for severity, message in _LOG.lines if severity <= trt.ILogger.Severity.ERROR]
    if made is None:
        return Engine(errors or ["no engine, and no word why"])
    listed = next((message for _, message in _LOG.lines if message.startswith("Layers:")), "")
    return Engine(errors, listed.splitlines()[1:])
