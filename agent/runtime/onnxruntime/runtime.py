"""ONNX Runtime: the engine is the graph after all optimisations, saved, and loaded again as it is.

On the CPU, or on an NVIDIA GPU by its CUDA provider. Of the agent, this module and its siblings ort_* alone import
onnxruntime.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import onnxruntime

from agent.runtime.arrays import Tensor
from agent.runtime.base import (
    BuildResult,
    Inspection,
    Locate,
    Report,
    Session,
    model_file,
    refuse_other_version,
)
from agent.runtime.onnxruntime.ceilings import measure_ceilings
from agent.runtime.onnxruntime.cpu import OnnxSession
from agent.runtime.onnxruntime.cuda import cuda_providers, cuda_session_options, left_to_the_cpu, open_on_gpu
from agent.runtime.onnxruntime.graph import CPU as CPU_PROVIDERS
from agent.runtime.onnxruntime.graph import check_inputs, open_engine, optimise
from agent.runtime.onnxruntime.options import session_options
from agent.runtime.onnxruntime.profile import read_layers, read_profile
from jetfleet.errors import BadInput
from jetfleet.placement import CPU, GPU, Placement
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_DATA,
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_TF32,
    PRECISION_UNSPECIFIED,
    PROVENANCE_MEASURED,
    BuildTask,
    Built,
    Precision,
    Subject,
)

# A typed graph says in which precision it runs: nothing else is built under that precision's name.
_CPU_GRAPHS = {
    PRECISION_FP32: ARTIFACT_ROLE_MODEL_FP32,
    PRECISION_FP16: ARTIFACT_ROLE_MODEL_FP16,
    PRECISION_INT8: ARTIFACT_ROLE_MODEL_QDQ,
}
_GPU_GRAPHS = {**_CPU_GRAPHS, PRECISION_TF32: ARTIFACT_ROLE_MODEL_FP32}
# Of an inspection: the first run warms up and does not count.
_LEAST_RUNS, _MOST_RUNS, _INSPECTION_S = 2, 11, 2.0


class OnnxRuntime:
    """Makes and runs engines with ONNX Runtime's CPU provider or its CUDA provider, by placement."""

    name = "onnxruntime"
    provenance = PROVENANCE_MEASURED

    def version(self) -> str:
        return str(onnxruntime.__version__)

    def build(self, task: BuildTask, model_dir: Path, out: Path, locate: Locate, report: Report) -> BuildResult:
        on_gpu = _is_on_gpu(task.placement)
        model = model_dir / _graph(task, on_gpu=on_gpu)
        options = _session_options(task.options, on_gpu=on_gpu)
        data = {item.name: model_dir / item.name for item in task.artifacts if item.role == ARTIFACT_ROLE_MODEL_DATA}
        report("build", None, f"optimising {model.name}")
        if not on_gpu:
            optimise(model, out, task.inputs, options, data=data)
            return BuildResult()
        optimise(model, out, task.inputs, options, cuda_providers(task.precision), data)
        return BuildResult(built=Built(warnings=left_to_the_cpu(out, task.precision)))

    def load(self, engine: Path, subject: Subject, locate: Locate) -> Session:
        on_gpu = _is_on_gpu(subject.placement)
        refuse_other_version(subject, self.version())
        if on_gpu:
            return open_on_gpu(engine, subject)
        options = session_options(subject.options)
        session = open_engine(engine, options)
        return OnnxSession(session, options, check_inputs(session, subject.inputs))

    def inspect(self, engine: Path, subject: Subject, inputs: Mapping[str, Tensor], scratch: Path) -> Inspection:
        on_gpu = _is_on_gpu(subject.placement)
        options = _session_options(subject.options, on_gpu=on_gpu)
        options.enable_profiling = True
        options.profile_file_prefix = str(scratch / "profile")
        session = open_engine(engine, options, cuda_providers(subject.precision) if on_gpu else CPU_PROVIDERS)
        begin = time.monotonic()
        for number in range(_MOST_RUNS):
            if number < _LEAST_RUNS or time.monotonic() - begin < _INSPECTION_S:
                session.run(None, dict(inputs))
        profile = Path(session.end_profiling())
        kernels = read_profile(profile, on_gpu=on_gpu)
        if on_gpu:
            return Inspection(tuple(kernels))
        layers, runs = read_layers(profile)
        ceilings = measure_ceilings(session_options(subject.options), int8=subject.precision == PRECISION_INT8)
        return Inspection(tuple(kernels), tuple(layers), runs=runs, ceilings=ceilings)


def _session_options(options: Mapping[str, str], *, on_gpu: bool) -> onnxruntime.SessionOptions:
    return cuda_session_options(options) if on_gpu else session_options(options)


def _is_on_gpu(placement: str) -> bool:
    """Raises BadInput for a place that ONNX Runtime does not know."""
    if placement not in ("", CPU, GPU):
        raise BadInput(f"onnxruntime does not run on {placement!r}", where="placement", expected="cpu, gpu")
    return Placement(placement).is_gpu


def _graph(task: BuildTask, *, on_gpu: bool) -> str:
    """The file name of the graph of the task's precision. Raises BadInput where it is not among the artifacts."""
    graphs = _GPU_GRAPHS if on_gpu else _CPU_GRAPHS
    if task.precision == PRECISION_UNSPECIFIED:
        return model_file(task, tuple(set(graphs.values())))
    name = _word(task.precision)
    if task.precision not in graphs:
        known = ", ".join(map(_word, graphs))
        raise BadInput(
            f"onnxruntime has no {name} on the {'GPU' if on_gpu else 'CPU'}", where="precision", expected=known
        )
    if not any(item.role == graphs[task.precision] for item in task.artifacts):
        raise BadInput(f"an {name} engine is made from an {name} graph, and the task brings none", where="precision")
    return model_file(task, (graphs[task.precision],))


def _word(precision: "Precision.ValueType") -> str:
    return Precision.Name(precision).removeprefix("PRECISION_").lower()
