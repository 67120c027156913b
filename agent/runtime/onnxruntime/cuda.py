"""ONNX Runtime's CUDA provider as a GpuEngine: on the session's own stream, on memory that is not ONNX Runtime's.

Works as the session has it: `user_compute_stream` is the stream that copies and events are on, and a run waits
for nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.cuda import Cuda, Stream, is_usable
from agent.runtime.gpu.engine import Slot
from agent.runtime.gpu.options import GpuOptions
from agent.runtime.gpu.session import GpuSession
from agent.runtime.onnxruntime.graph import NUMPY, Providers, check_inputs, has_fixed_shape, open_engine
from agent.runtime.onnxruntime.options import describe_options, raise_if_out_of_memory, session_options
from jetfleet.errors import BadInput
from jetfleet.option_kinds import Audience
from jetfleet.options import ONNXRUNTIME, read_options
from jetfleet.v1.task_pb2 import PRECISION_TF32, Precision, Subject, TensorSpec

CUDA_PROVIDER = "CUDAExecutionProvider"
_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"


def cuda_provider_version() -> str | None:
    """ONNX Runtime's version where its CUDA provider is built in, pycuda imports and a GPU answers."""
    if CUDA_PROVIDER not in onnxruntime.get_available_providers() or not is_usable():
        return None
    return str(onnxruntime.__version__)


def cuda_providers(precision: "Precision.ValueType", stream: Stream | None = None) -> Providers:
    """The CUDA provider first, the CPU's for what it does not take. fp32 means that TF32 is off."""
    options = {"device_id": "0", "use_tf32": str(int(precision == PRECISION_TF32))}
    if stream is not None:
        options["user_compute_stream"] = str(stream.handle)
    return ((CUDA_PROVIDER, options), "CPUExecutionProvider")


def cuda_session_options(options: Mapping[str, str]) -> onnxruntime.SessionOptions:
    """As on a CPU, and without the rewriting of Q/DQ graphs for integer kernels, of which this provider has none.

    That rewriting also quantises biases, in the type of their scales: in half floats those underflow, and answers come
    out wrong (seen with 1.31.1: cosine 0.92). Raises BadInput for options unknown or unusable.
    """
    made = session_options(options, on_gpu=True)
    made.add_session_config_entry("session.disable_quant_qdq", "1")
    made.add_session_config_entry(_RECORD_ASSIGNMENT, "1")  # unknown to older versions, which ignore it
    return made


def open_on_gpu(engine: Path, subject: Subject) -> GpuSession:
    """Raises BadInput for options or outputs that cannot be used, DeviceFault where CUDA or its provider fail."""
    options = cuda_session_options(subject.options)
    how = GpuOptions.of(read_options(subject.options, ONNXRUNTIME, Audience.BUILDER, Audience.GPU_RUN))
    cuda = Cuda.open(wait=how.wait)
    try:
        stream = cuda.stream()
        session = open_engine(engine, options, cuda_providers(subject.precision, stream))
        made = CudaEngine(session, options, check_inputs(session, subject.inputs))
        if elsewhere(session):  # what those compute while work is recorded would be computed once and for all
            how = replace(how, no_graph=f"of ONNX Runtime's nodes {assignment(session)}")
    except BaseException:
        cuda.close()
        raise
    # One more session: ONNX Runtime ties a session to the stream that it was opened with.
    return GpuSession(made, cuda, how, stream=stream, another=lambda: open_on_gpu(engine, subject))


class CudaEngine:
    """A graph on the CUDA provider. The stream is the one that its session was opened with, and no other."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        options: onnxruntime.SessionOptions,
        inputs: Sequence[TensorSpec],
    ) -> None:
        self._session, self._options = session, options
        self.inputs = [Slot(spec.name, spec.dtype, tuple(spec.shape)) for spec in inputs]
        self.outputs = _output_slots(session)
        self._binding = session.io_binding()
        self._run_options = onnxruntime.RunOptions()
        self._run_options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def bind(self, name: str, pointer: int) -> None:
        for slots, bind in ((self.inputs, self._binding.bind_input), (self.outputs, self._binding.bind_output)):
            for slot in slots:
                if slot.name == name:
                    bind(name, "cuda", 0, np.dtype(slot.dtype).type, slot.shape, pointer)

    def enqueue(self, stream: int) -> None:
        try:
            self._session.run_with_iobinding(self._binding, self._run_options)
        except RuntimeError as error:
            raise_if_out_of_memory(error)
            raise DeviceFault(f"ONNX Runtime failed on the GPU: {error}") from error

    def describe(self) -> dict[str, str]:
        options = self._session.get_provider_options()[CUDA_PROVIDER]
        return {
            "providers": ",".join(self._session.get_providers()),
            "use_tf32": options.get("use_tf32", "unknown"),
            "cudnn_conv_algo_search": options.get("cudnn_conv_algo_search", "unknown"),
            "nodes": assignment(self._session),
            **describe_options(self._options),
        }

    def close(self) -> None:
        del self._binding, self._session


def left_to_the_cpu(engine: Path, precision: "Precision.ValueType") -> list[str]:
    """Loads an engine that was just built, and says in one warning which of its nodes the GPU does not take.

    Raises DeviceFault if it does not load back.
    """
    session = open_engine(engine, cuda_session_options({}), cuda_providers(precision))
    return [f"ONNX Runtime's nodes: {assignment(session)}"] if elsewhere(session) else []


def assignment(session: onnxruntime.InferenceSession) -> str:
    """How many nodes are on the GPU, and which are not: `45 of 48 on CUDAExecutionProvider, on the CPU 2 Shape, ...`"""
    nodes = _nodes(session)
    if not nodes:
        return "unknown: this version of ONNX Runtime does not tell"
    others = elsewhere(session)
    share = f"{len(nodes) - sum(others.values())} of {len(nodes)} on {CUDA_PROVIDER}"
    told = ", ".join(f"{count} {op}" for op, count in others.most_common())
    return f"{share}, on the CPU {told}" if others else share


def elsewhere(session: onnxruntime.InferenceSession) -> Counter[str]:
    """Operators that the GPU does not take; none for versions that do not tell."""
    return Counter(op for provider, op in _nodes(session) if provider != CUDA_PROVIDER)


def _nodes(session: onnxruntime.InferenceSession) -> list[tuple[str, str]]:
    """Provider and operator of each node; empty for versions before 1.24, which do not tell."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return []
    parts = session.get_provider_graph_assignment_info()
    return [(str(part.ep_name), str(node.op_type)) for part in parts for node in part.get_nodes()]


def _output_slots(session: onnxruntime.InferenceSession) -> list[Slot]:
    """Raises BadInput for an output that cannot be given a place before its shape is known."""
    shaped_by_data = [item for item in session.get_outputs() if not has_fixed_shape(item)]
    if shaped_by_data:
        item = shaped_by_data[0]
        raise BadInput(
            f"output {item.name!r} is {item.type}{item.shape}: its shape depends on the data",
            where="placement gpu",
            expected="outputs whose shapes follow from the inputs' alone",
            hint="place it on the cpu, or end the graph before the node that decides the shape (often NonZero or NMS)",
        )
    return [Slot(item.name, NUMPY[item.type], tuple(item.shape)) for item in session.get_outputs()]
