"""A TensorRT engine in memory as a GpuEngine: deserialised, its profile held against the shapes that are measured.

Name-based input and output only, which 8.5 and every later TensorRT have.
"""

import mmap
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.engine import Slot
from agent.runtime.tensorrt.dla import refuse_without_cores
from agent.runtime.tensorrt.dla_io import layout
from agent.runtime.tensorrt.log import BuilderLog, begin, listen, make_recorder
from agent.runtime.tensorrt.network import device_type, numpy_name, refuse_unknown_type
from jetfleet.errors import BadInput
from jetfleet.placement import core_names
from jetfleet.v1.task_pb2 import Subject, TensorSpec

if TYPE_CHECKING:
    import tensorrt as trt

# TensorRT has no codes for why a plan does not load, only these words.
_OTHER_VERSION = re.compile(r"version tag does not match|serialized engine version|version mismatch", re.IGNORECASE)
_OTHER_BOARD = re.compile(r"incompatible device|expecting compute|compute capability|different gpu", re.IGNORECASE)
_NO_PLAN = re.compile(
    r"magic ?tag|not a valid|corrupt|deserialize header|serialization assertion|unexpected format", re.I
)


class LoadedEngine:
    """A deserialised engine with everything that TensorRT must not lose before it."""

    engine: "trt.ICudaEngine"
    _runtime: "trt.Runtime"

    def __init__(self, trt: ModuleType, plan: Path, *, dla_core: int | None = None, host_code: bool = False) -> None:
        """Raises BadInput for an engine of another TensorRT, of another board or for a DLA that is not there,
        DeviceFault, MemoryError."""
        self.builder_log = BuilderLog()
        self._recorder = make_recorder(trt, self.builder_log)
        logger = listen(trt, self.builder_log)
        self._runtime = begin(lambda: trt.Runtime(logger), self.builder_log)
        self._runtime.error_recorder = self._recorder
        if dla_core is not None:
            _set_dla(self._runtime, dla_core)
        if host_code:  # a version-compatible plan brings the runtime that runs it
            self._runtime.engine_host_code_allowed = True
        engine = self._runtime.deserialize_cuda_engine(_content(plan))
        if engine is None:
            raise refusal(self.builder_log, plan.name, str(trt.__version__))
        self.engine = engine

    def device_memory_bytes(self) -> int | None:
        """Activation memory of one context."""
        size = getattr(self.engine, "device_memory_size_v2", None)
        if size is None:
            size = getattr(self.engine, "device_memory_size", None)
        return None if size is None else int(size)

    def aux_streams(self) -> int:
        """Streams beside the caller's on which layers run; 0 also where this TensorRT does not tell."""
        return int(getattr(self.engine, "num_aux_streams", 0))

    def layers(self, trt: ModuleType, context: "trt.IExecutionContext | None" = None) -> str:
        """The engine's layers as its inspector tells them, JSON. A context makes dynamic shapes known."""
        inspector = self.engine.create_engine_inspector()
        if context is not None:
            inspector.execution_context = context
        return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))

    def close(self) -> None:
        """The engine before its runtime; harmless when repeated."""
        self.__dict__.pop("engine", None)
        self.__dict__.pop("_runtime", None)


class TrtEngine:
    """An execution context with the shapes of a subject. `owns`: closes the engine with it."""

    context: "trt.IExecutionContext"

    def __init__(self, trt: ModuleType, loaded: LoadedEngine, subject: Subject, *, owns: bool = True) -> None:
        """Raises BadInput for inputs that the engine does not take, DeviceFault, MemoryError."""
        self._owns = owns
        self._loaded, self._builder_log = loaded, loaded.builder_log
        self._notes = {"tensorrt": str(trt.__version__)}
        engine = loaded.engine
        check_inputs(trt, engine, subject.inputs)
        context = engine.create_execution_context()
        if context is None:
            raise self._fault("TensorRT makes no execution context")
        self.context = context
        for spec in subject.inputs:
            if not context.set_input_shape(spec.name, tuple(spec.shape)):
                raise self._fault(f"TensorRT does not take the shape {list(spec.shape)} of input {spec.name!r}")
        self._infer_shapes(context)
        given = {spec.name: spec.dtype for spec in subject.inputs}
        self.inputs = [
            _with_given_type(slot, given[slot.name])
            for slot in self._slots(trt, _names(engine, trt.TensorIOMode.INPUT))
        ]
        # The build gave all inputs and outputs of such an engine one type: the outputs leave as the inputs came.
        left = next((slot.given for slot in self.inputs if slot.layout), "")
        self.outputs = [
            replace(slot, given=left) if slot.layout else slot
            for slot in self._slots(trt, _names(engine, trt.TensorIOMode.OUTPUT))
        ]
        self._execute: Any = context.execute_async_v3
        self._notes["layers"] = str(engine.num_layers)
        size = loaded.device_memory_bytes()
        if size is not None:
            self._notes["device_memory_bytes"] = str(size)

    def bind(self, name: str, pointer: int) -> None:
        if not self.context.set_tensor_address(name, pointer):
            raise self._fault(f"TensorRT does not take the address of {name!r}")

    def enqueue(self, stream: int) -> None:
        if not self._execute(stream):
            raise self._fault("TensorRT did not run the engine")

    def profile(self, profiler: "trt.IProfiler") -> None:
        """Times are handed over when asked for after a run, not within it, where it would wait for the device."""
        self._profiler = profiler  # the context does not keep it
        self.context.profiler = profiler
        self.context.enqueue_emits_profile = False

    def describe(self) -> dict[str, str]:
        """With TensorRT's warnings: an engine of another model of board loads, and may be slow."""
        said = self._builder_log.warnings
        return {**self._notes, "warnings": "; ".join(said)} if said else dict(self._notes)

    def close(self) -> None:
        self.__dict__.pop("_execute", None)
        self.__dict__.pop("context", None)
        if self._owns:
            self._loaded.close()

    def _infer_shapes(self, context: "trt.IExecutionContext") -> None:
        try:
            missing = context.infer_shapes()
        except RuntimeError as error:  # for any reason but a shape that was not set
            raise self._fault(f"TensorRT does not follow the shapes ({error})") from error
        if missing:
            raise self._fault(f"TensorRT does not know the shape of {', '.join(missing)}")

    def _slots(self, trt: ModuleType, names: Sequence[str]) -> list[Slot]:
        engine, slots = self._loaded.engine, []
        for name in names:
            shape = tuple(self.context.get_tensor_shape(name))
            if engine.get_tensor_location(name) == trt.TensorLocation.HOST:
                raise BadInput(f"tensor {name!r} holds a shape, which lies on the host", where="placement")
            if any(size < 0 for size in shape):
                raise BadInput(
                    f"tensor {name!r} has the shape {list(shape)}: it depends on the data",
                    where="placement",
                    expected="outputs whose shapes follow from the inputs' alone",
                )
            dtype = numpy_name(engine.get_tensor_dtype(name))
            refuse_unknown_type(name, dtype)
            slots.append(Slot(name, dtype, shape, layout=layout(engine, self.context, name, np.dtype(dtype).itemsize)))
        return slots

    def _fault(self, message: str) -> Exception:
        reason = f"{message}: {self._builder_log.reason()}"
        return MemoryError(reason) if self._builder_log.out_of_memory() else DeviceFault(reason)


def check_inputs(trt: ModuleType, engine: "trt.ICudaEngine", inputs: Sequence[TensorSpec]) -> None:
    """Raises BadInput unless each input is given, in its type, with a shape within the engine's profile."""
    wanted = _names(engine, trt.TensorIOMode.INPUT)
    if {spec.name for spec in inputs} != set(wanted):
        given = sorted(spec.name for spec in inputs)
        raise BadInput(f"the subject gives inputs {given}", where="inputs", expected=str(sorted(wanted)))
    for spec in inputs:
        dtype, shape = numpy_name(engine.get_tensor_dtype(spec.name)), tuple(engine.get_tensor_shape(spec.name))
        refuse_unknown_type(spec.name, dtype)
        if not _takes_type(trt, engine, spec, dtype) or len(spec.shape) != len(shape):
            raise BadInput(
                f"input {spec.name!r} is given as {spec.dtype}{list(spec.shape)}",
                where="inputs",
                expected=f"{dtype}{list(shape)}",
            )
        least, most = shape, shape
        if any(size < 0 for size in shape):
            least, _, most = (tuple(bound) for bound in engine.get_tensor_profile_shape(spec.name, 0))
        if not all(low <= size <= high for low, size, high in zip(least, spec.shape, most, strict=True)):
            raise BadInput(
                f"the shape {list(spec.shape)} of input {spec.name!r} is outside the engine's profile",
                where="inputs",
                expected=f"{list(least)} to {list(most)}",
                hint="give the input a range that holds this shape, and build again",
            )


def _takes_type(trt: ModuleType, engine: "trt.ICudaEngine", spec: TensorSpec, dtype: str) -> bool:
    """Where a DLA runs alone, the host makes float16 of float32."""
    if device_type(trt, spec.dtype) == dtype:
        return True
    return (spec.dtype, dtype) == ("float32", "float16") and engine.get_tensor_format(spec.name).name != "LINEAR"


def refusal(builder_log: BuilderLog, where: str, version: str) -> Exception:
    """Why a plan did not load, from what TensorRT said."""
    said, reason = " ".join([*builder_log.errors, *builder_log.warnings]), builder_log.reason()
    if builder_log.out_of_memory():
        return MemoryError(f"there is no memory to load the engine: {reason}")
    if _OTHER_VERSION.search(said):
        return BadInput(
            f"the engine was built by another TensorRT: {reason}",
            where=where,
            expected=f"an engine of TensorRT {version}",
            hint="build it again on this version: submit the job once more",
        )
    if _OTHER_BOARD.search(said):
        return BadInput(
            f"the engine was built for another board: {reason}",
            where=where,
            expected="an engine of this board's device class",
            hint="build it on this board: submit the job once more",
        )
    if _NO_PLAN.search(said):
        return BadInput(f"this is not a TensorRT engine: {reason}", where=where, expected="a serialized engine")
    return DeviceFault(f"TensorRT did not load the engine: {reason}", where=where)


def _content(plan: Path) -> Any:
    """A plan as a buffer: mapped, not read, because on a Jetson the host's copy takes its memory from the GPU."""
    if not plan.stat().st_size:
        raise BadInput("this is not a TensorRT engine: it is empty", where=plan.name, expected="a serialized engine")
    with plan.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _set_dla(runtime: "trt.Runtime", core: int) -> None:
    refuse_without_cores(runtime.num_DLA_cores)
    if core >= runtime.num_DLA_cores:
        raise BadInput(
            f"this board has no dla{core}",
            where="placement",
            expected=" or ".join(core_names(runtime.num_DLA_cores)),
        )
    runtime.DLA_core = core  # before the engine is loaded


def _with_given_type(slot: Slot, given: str) -> Slot:
    """An input, with the type that the subject gives it in where the engine has another."""
    return slot if given == slot.dtype else replace(slot, given=given)


def _names(engine: "trt.ICudaEngine", mode: "trt.TensorIOMode") -> list[str]:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    return [name for name in names if engine.get_tensor_mode(name) == mode]
