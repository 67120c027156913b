"""ONNX Runtime on the CPU: the engine is the graph after all optimisations, saved, and loaded again as it is.

The only importer of onnxruntime.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from agent.npy import Tensor
from agent.runtime.base import (
    BuildRefused,
    Collected,
    DeviceFault,
    Inspection,
    Locate,
    Made,
    Report,
    model_file,
    refuse_other_version,
    refuse_unknown_options,
)
from agent.runtime.profile import read_profile
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_UNSPECIFIED,
    PROVENANCE_MEASURED,
    BuildTask,
    Precision,
    Subject,
    TensorSpec,
)

_PROVIDERS = ["CPUExecutionProvider"]
_OPTIONS = frozenset({"threads", "spinning"})
# A typed graph says in which precision it runs: nothing else is built under that precision's name.
_GRAPHS = {
    PRECISION_FP32: ARTIFACT_ROLE_MODEL_FP32,
    PRECISION_FP16: ARTIFACT_ROLE_MODEL_FP16,
    PRECISION_INT8: ARTIFACT_ROLE_MODEL_QDQ,
}
_SPINNING = "session.intra_op.allow_spinning"
# Each of these is an exception class of its own, with no common base.
_UNREADABLE = (ort_errors.InvalidProtobuf, ort_errors.InvalidArgument, ort_errors.NoSuchFile, ort_errors.NoModel)
_REFUSED = (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.NotImplemented, ort_errors.RuntimeException)
_NUMPY = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


class OnnxRuntime:
    """Makes and runs engines with ONNX Runtime's CPU provider."""

    name = "onnxruntime"
    provenance = PROVENANCE_MEASURED

    def version(self) -> str:
        return str(onnxruntime.__version__)

    def build(self, task: BuildTask, model_dir: Path, out: Path, locate: Locate, report: Report) -> Made:
        _refuse_placement(task.placement)
        model = model_dir / _graph(task)
        options = session_options(task.options)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.optimized_model_filepath = str(out)
        report("build", None, f"optimising {model.name}")
        for symbol, size in _free_dimensions(model, task.inputs).items():
            options.add_free_dimension_override_by_name(symbol, size)
        try:
            session = onnxruntime.InferenceSession(str(model), options, providers=_PROVIDERS)
        except (*_REFUSED, ort_errors.InvalidArgument) as error:
            _raise_if_out_of_memory(error)
            raise BuildRefused(f"ONNX Runtime refused the model: {error}", where=model.name) from error
        _check_inputs(session, task.inputs)
        return Made()

    def load(self, engine: Path, subject: Subject, locate: Locate) -> "OnnxSession":
        _refuse_placement(subject.placement)
        refuse_other_version(subject, self.version())
        options = session_options(subject.options)
        session = _open(engine, options)
        return OnnxSession(session, options, _check_inputs(session, subject.inputs))

    def inspect(self, engine: Path, subject: Subject, inputs: Mapping[str, Tensor], scratch: Path) -> Inspection:
        options = session_options(subject.options)
        options.enable_profiling = True
        options.profile_file_prefix = str(scratch / "profile")
        session = _open(engine, options)
        session.run(None, dict(inputs))
        return Inspection(kernels=tuple(read_profile(Path(session.end_profiling()))))


class OnnxSession:
    """A loaded graph with inputs and outputs bound to buffers made beforehand."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        options: onnxruntime.SessionOptions,
        inputs: Sequence[TensorSpec],
    ) -> None:
        self._session = session
        self._options = options
        self._binding = session.io_binding()
        self._inputs: dict[str, onnxruntime.OrtValue] = {}
        for spec in inputs:
            self._inputs[spec.name] = _empty(spec.shape, spec.dtype)
            self._binding.bind_ortvalue_input(spec.name, self._inputs[spec.name])
        self._outputs = [item.name for item in session.get_outputs()]
        self._shaped_by_data: list[str] = []
        for item in session.get_outputs():
            if item.type in _NUMPY and all(isinstance(size, int) for size in item.shape):
                self._binding.bind_ortvalue_output(item.name, _empty(item.shape, _NUMPY[item.type]))
            else:
                self._shaped_by_data.append(item.name)
        # Outputs come back in the order in which they were first bound.
        self._bound = [name for name in self._outputs if name not in self._shaped_by_data] + self._shaped_by_data

    clock = staticmethod(time.perf_counter_ns)

    def bind(self, inputs: Mapping[str, Tensor]) -> None:
        missing = sorted(set(self._inputs) - set(inputs))
        if missing:
            raise BadInput(f"no value for input {', '.join(missing)}")
        for name, value in self._inputs.items():
            array = inputs[name]
            slot = value.numpy()
            if slot.shape != array.shape or slot.dtype != array.dtype:
                raise BadInput(
                    f"input {name!r} is {array.dtype}{list(array.shape)}", expected=f"{slot.dtype}{list(slot.shape)}"
                )
            value.update_inplace(np.ascontiguousarray(array))
        for name in self._shaped_by_data:  # what ORT made for the last inputs may not fit these
            self._binding.bind_output(name, "cpu")

    def infer(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except RuntimeError as error:
            _raise_if_out_of_memory(error)
            raise

    def outputs(self) -> dict[str, Tensor]:
        values = self._binding.get_outputs()
        by_name = dict(zip(self._bound, values, strict=True))
        return {name: np.array(by_name[name].numpy()) for name in self._outputs}

    def prepare(self, count: int) -> None:
        """Nothing to take: the host clock is the only one."""

    def collect(self) -> Collected:
        return Collected()

    def describe(self) -> dict[str, str]:
        return {
            "providers": ",".join(self._session.get_providers()),
            "intra_op_threads": str(self._options.intra_op_num_threads),
            "inter_op_threads": str(self._options.inter_op_num_threads),
            "intra_op_spinning": self._options.get_session_config_entry(_SPINNING),
            "graph_optimization": "ORT_DISABLE_ALL (the engine was optimised at build)",
        }

    def close(self) -> None:
        del self._binding, self._session


def _graph(task: BuildTask) -> str:
    """The file name of the graph of the task's precision. Raises BadInput where it is not among the artifacts."""
    if task.precision == PRECISION_UNSPECIFIED:
        return model_file(task, tuple(_GRAPHS.values()))
    name = Precision.Name(task.precision).removeprefix("PRECISION_").lower()
    if task.precision not in _GRAPHS:
        raise BadInput(f"onnxruntime has no {name} on the CPU", where="precision", expected="fp32, fp16, int8")
    if not any(item.role == _GRAPHS[task.precision] for item in task.artifacts):
        raise BadInput(f"an {name} engine is made from an {name} graph, and the task brings none", where="precision")
    return model_file(task, (_GRAPHS[task.precision],))


def _open(engine: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """Loads an engine as it is. Raises DeviceFault, or MemoryError."""
    # The file already is what the optimiser made; running it again could make something else.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(str(engine), options, providers=_PROVIDERS)
    except (*_REFUSED, *_UNREADABLE) as error:
        _raise_if_out_of_memory(error)
        raise DeviceFault(f"ONNX Runtime does not load its own engine: {error}", where=engine.name) from error


def session_options(options: Mapping[str, str]) -> onnxruntime.SessionOptions:
    """One pool of as many threads as this process may use CPUs. Raises BadInput for options unknown or unusable."""
    refuse_unknown_options(options, _OPTIONS, "onnxruntime")
    threads = options.get("threads") or os.environ.get("JETFLEET_THREADS") or str(len(os.sched_getaffinity(0)))
    if not threads.isdigit() or int(threads) < 1:
        raise BadInput(f"{threads!r} is no number of threads", where="threads", expected="1 or more")
    spinning = {"on": "1", "off": "0"}.get(options.get("spinning", "on"))
    if spinning is None:
        raise BadInput(f"{options['spinning']!r} is not a choice", where="spinning", expected="on, off")
    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads = int(threads)
    made.inter_op_num_threads = 1
    made.add_session_config_entry(_SPINNING, spinning)
    return made


def _free_dimensions(model: Path, inputs: Iterable[TensorSpec]) -> dict[str, int]:
    """Sizes of the graph's named dimensions, from the resolved inputs. Raises BadInput for a graph that disagrees."""
    if not model.stat().st_size:  # ONNX Runtime's versions do not agree on what that is
        raise BadInput("the model cannot be read: the file is empty", where=model.name)
    bare = onnxruntime.SessionOptions()
    bare.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        graph = onnxruntime.InferenceSession(str(model), bare, providers=_PROVIDERS)
    except _UNREADABLE as error:
        raise BadInput(f"the model cannot be read: {error}", where=model.name) from error
    except _REFUSED as error:
        _raise_if_out_of_memory(error)
        raise BuildRefused(f"ONNX Runtime refused the model: {error}", where=model.name) from error
    wanted = {spec.name: tuple(spec.shape) for spec in inputs}
    sizes: dict[str, int] = {}
    for item in graph.get_inputs():
        for symbol, size in zip(item.shape, wanted.get(item.name, ()), strict=False):
            if isinstance(symbol, str) and sizes.setdefault(symbol, size) != size:
                raise BadInput(f"dimension {symbol!r} would be both {sizes[symbol]} and {size}", where=item.name)
    return sizes


def _check_inputs(session: onnxruntime.InferenceSession, inputs: Iterable[TensorSpec]) -> list[TensorSpec]:
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
        if _NUMPY.get(item.type) != spec.dtype or not same_rank or not fits:
            raise BadInput(
                f"input {item.name!r} is given as {spec.dtype}{list(spec.shape)}",
                expected=f"{_NUMPY.get(item.type, item.type)}{item.shape}",
            )
    return [specs[item.name] for item in graph]


def _empty(shape: Sequence[int], dtype: str) -> onnxruntime.OrtValue:
    """A buffer from ORT's own allocator: the same alignment, and so the same speed, in every process."""
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), np.dtype(dtype).type, "cpu")


def _raise_if_out_of_memory(error: Exception) -> None:
    """Raises MemoryError where that is what happened: ONNX Runtime has no exception for it, only these words."""
    if "Failed to allocate memory" in str(error) or "bad_alloc" in str(error) or "bad allocation" in str(error):
        raise MemoryError(f"ONNX Runtime ran out of memory: {error}") from error


def _refuse_placement(placement: str) -> None:
    if placement not in ("", "cpu"):
        raise BadInput(f"onnxruntime runs on the CPU here, not on {placement!r}", where="placement", expected="cpu")
