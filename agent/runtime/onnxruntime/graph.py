"""ONNX Runtime's view of a graph: opened on some providers, its inputs held against a task's."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import onnxruntime

from agent.runtime.base import BuildRefused, DeviceFault
from agent.runtime.onnxruntime import engine_file
from agent.runtime.onnxruntime.options import REFUSED, UNREADABLE, raise_if_out_of_memory
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import TensorSpec

# As ONNX Runtime takes them: a name, or a name with its options; the first that can take a node gets it.
Providers: TypeAlias = Sequence["str | tuple[str, Mapping[str, str]]"]
CPU: Providers = ("CPUExecutionProvider",)
NUMPY = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def open_engine(
    engine: Path, options: onnxruntime.SessionOptions, providers: Providers = CPU
) -> onnxruntime.InferenceSession:
    """Loads an engine as it is. Raises DeviceFault, or MemoryError."""
    # The file already is what the optimiser made; running it again could make something else.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        with engine_file.opened(engine) as graph:
            return _session(graph, options, providers)
    except (*REFUSED, *UNREADABLE) as error:
        raise_if_out_of_memory(error)
        raise DeviceFault(f"ONNX Runtime does not load its own engine: {error}", where=engine.name) from error


def optimise(
    model: Path,
    out: Path,
    inputs: Sequence[TensorSpec],
    options: onnxruntime.SessionOptions,
    providers: Providers = CPU,
    data: Mapping[str, Path] | None = None,
) -> None:
    """Writes the graph as ONNX Runtime would run it on these providers, every named dimension fixed, in one file.

    `data`: files beside the model that hold its weights, by the names that the model knows them by. Raises BadInput
    for a graph that cannot be read or takes other inputs, BuildRefused in ONNX Runtime's words.
    """
    for symbol, size in _free_dimensions(model, inputs, providers).items():
        options.add_free_dimension_override_by_name(symbol, size)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    try:
        with engine_file.written(out, options, data or {}):
            session = _session(model, options, providers)
    except (*REFUSED, *UNREADABLE) as error:
        raise_if_out_of_memory(error)
        raise BuildRefused(f"ONNX Runtime refused the model: {error}", where=model.name) from error
    check_inputs(session, inputs)
    del session
    _load_back(out, providers)


def _load_back(engine: Path, providers: Providers) -> None:
    """Raises BuildRefused unless the engine loads where there is no other file: benches have no more than that."""
    with tempfile.TemporaryDirectory(dir=engine.parent) as folder:
        alone = Path(folder) / engine.name
        try:
            os.link(engine, alone)
        except OSError:  # a file system without links
            shutil.copyfile(engine, alone)
        try:
            open_engine(alone, onnxruntime.SessionOptions(), providers)
        except DeviceFault as error:
            raise BuildRefused(str(error)) from error


def check_inputs(session: onnxruntime.InferenceSession, inputs: Iterable[TensorSpec]) -> list[TensorSpec]:
    """The specs of the graph's inputs, in its order. Raises BadInput unless each one fits name, type and shape."""
    specs = {spec.name: spec for spec in inputs}
    graph = session.get_inputs()
    if set(specs) != {item.name for item in graph}:
        raise BadInput(f"the task gives inputs {sorted(specs)}", expected=str(sorted(item.name for item in graph)))
    for item in graph:
        spec = specs[item.name]
        same_rank = len(item.shape) == len(spec.shape)
        fits = all(
            not isinstance(size, int) or size == given for size, given in zip(item.shape, spec.shape, strict=False)
        )
        if NUMPY.get(item.type) != spec.dtype or not same_rank or not fits:
            raise BadInput(
                f"input {item.name!r} is given as {spec.dtype}{list(spec.shape)}",
                expected=f"{NUMPY.get(item.type, item.type)}{item.shape}",
            )
    return [specs[item.name] for item in graph]


def has_fixed_shape(item: Any) -> bool:
    """Whether an output's type and every dimension of it are known before it is computed."""
    return item.type in NUMPY and all(isinstance(size, int) for size in item.shape)


def _free_dimensions(model: Path, inputs: Iterable[TensorSpec], providers: Providers) -> dict[str, int]:
    """Sizes of the graph's named dimensions, from the resolved inputs. Raises BadInput for a graph that disagrees."""
    if not model.stat().st_size:  # ONNX Runtime's versions do not agree on what that is
        raise BadInput("the model cannot be read: the file is empty", where=model.name)
    bare = onnxruntime.SessionOptions()
    bare.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        graph = _session(model, bare, providers)
    except UNREADABLE as error:
        raise BadInput(f"the model cannot be read: {error}", where=model.name) from error
    except REFUSED as error:
        raise_if_out_of_memory(error)
        raise BuildRefused(f"ONNX Runtime refused the model: {error}", where=model.name) from error
    wanted = {spec.name: tuple(spec.shape) for spec in inputs}
    sizes: dict[str, int] = {}
    for item in graph.get_inputs():
        for symbol, size in zip(item.shape, wanted.get(item.name, ()), strict=False):
            if isinstance(symbol, str) and sizes.setdefault(symbol, size) != size:
                raise BadInput(f"dimension {symbol!r} would be both {sizes[symbol]} and {size}", where=item.name)
    return sizes


def _session(path: Path, options: onnxruntime.SessionOptions, providers: Providers) -> onnxruntime.InferenceSession:
    """Raises DeviceFault where a provider is missing or does not start: ONNX Runtime alone would go on without it."""
    wanted = {item if isinstance(item, str) else item[0] for item in providers}
    if absent := wanted - set(onnxruntime.get_available_providers()):
        raise DeviceFault(
            f"this ONNX Runtime has no {', '.join(absent)}",
            expected="a build with CUDA",
            hint="pip uninstall onnxruntime, then pip install onnxruntime-gpu; on a Jetson, its wheel for the JetPack",
        )
    session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    if absent := wanted - set(session.get_providers()):
        raise DeviceFault(
            f"ONNX Runtime's {', '.join(absent)} does not start",
            expected="CUDA, cuDNN and a driver of the versions that this onnxruntime-gpu was built for",
            hint="its own words are in the attempt's log; often LD_LIBRARY_PATH lacks CUDA's or cuDNN's libraries",
        )
    return session
