"""Questions that TensorRT answers, by building tiny engines through the agent's own runtime."""

import json
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agent.device.files import entries
from agent.device.packages import installed
from agent.doctor.check import CheckContext
from agent.doctor.settle.networks import FP16, FP32, HALF, QDQ
from agent.doctor.settle.question import CouldNotAsk, Question
from agent.runtime.base import BuildResult
from agent.runtime.gpu.options import GpuOptions
from agent.runtime.registry import open_runtime
from agent.runtime.tensorrt.ability import ability
from agent.runtime.tensorrt.runtime import TensorRt
from jetfleet.errors import BadInput, JetfleetError
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    Artifact,
    BuildTask,
    Precision,
    Subject,
    TensorSpec,
)

_ROLES = {ARTIFACT_ROLE_MODEL_FP32: FP32, ARTIFACT_ROLE_MODEL_FP16: FP16, ARTIFACT_ROLE_MODEL_QDQ: QDQ}
_INPUT = TensorSpec(name="x", dtype="float32", shape=[1, 8, 16, 16])
_HALF_INPUT = TensorSpec(name="x", dtype="float16", shape=[1, 8, 16, 16])
_LIBRARIES = "usr/lib/*-linux-gnu*"
_LEAN = ("libnvinfer_lean.so*", "libnvinfer_vc_plugin.so*", "libnvinfer_builder_resource.so*")
# Names that came and went between TensorRT's lines; which of them a board's own has is not documented for every one.
_FLAGS = ("FP16", "INT8", "DIRECT_IO", "GPU_FALLBACK", "VERSION_COMPATIBLE", "EXCLUDE_LEAN_RUNTIME", "MONITOR_MEMORY")


def _runtime() -> TensorRt:
    try:
        found = open_runtime("tensorrt")
    except BadInput as error:
        raise CouldNotAsk(error.message) from None
    if not isinstance(found, TensorRt):
        raise CouldNotAsk(f"{found.name} is not TensorRT")
    return found


def version(context: CheckContext) -> str:
    found = {pattern: _named(context, pattern) for pattern in _LEAN}
    packages = [f"{name} {text}" for name, text in installed(context.root, "libnvinfer-lean").items()]
    libraries = "; ".join(f"{pattern}: {names}" for pattern, names in found.items())
    if not context.live:
        return f"{libraries}; {', '.join(packages) or 'no package libnvinfer-lean'}"
    runtime = _runtime()
    flags = [name for name in _FLAGS if hasattr(runtime.trt.BuilderFlag, name)]
    return f"{runtime.version()}, flags {' '.join(flags)}; {libraries}; {', '.join(packages) or 'no package of lean'}"


def dla_alone(context: CheckContext) -> str:
    return _dla(context, gpu_fallback="off")


def dla_with_fallback(context: CheckContext) -> str:
    return _dla(context, gpu_fallback="on")


def _dla(context: CheckContext, *, gpu_fallback: str) -> str:
    _refuse_without_dla(context)
    # Where types come from the graph alone, a cast at its edges would need the GPU.
    half = gpu_fallback == "off" and not ability(_runtime().trt, workstation=False).weak
    with tempfile.TemporaryDirectory(prefix="jetfleet-settle-") as folder:
        result, told = _build(Path(folder), "dla", PRECISION_FP16, {"gpu_fallback": gpu_fallback}, half=half)
    report = result.built.dla
    gone = ", ".join(f"{item.layer}: {item.reason}" for item in report.fallbacks)
    return f"{told}; {report.layers_on_dla} on the DLA, {report.layers_on_gpu} on the GPU {gone}".strip()


def dla_in_a_graph(context: CheckContext) -> str:
    """Runs on a DLA in a CUDA graph, and says by which type the inspector calls the DLA's part."""
    _refuse_without_dla(context)
    with tempfile.TemporaryDirectory(prefix="jetfleet-settle-") as made:
        folder = Path(made)
        _, told = _build(folder, "dla", PRECISION_FP16, {"gpu_fallback": "on"})
        types = _layer_types(folder)
        try:
            session = _runtime().open_as(folder / "engine", _subject("dla0", {}), GpuOptions(cuda_graph="on"))
        except JetfleetError as error:
            return f"{told}; layer types {types}; with a CUDA graph: {error.message}"
        try:
            session.bind({"x": np.ones((1, 8, 16, 16), np.float32)})
            for _ in range(3):
                session.infer()
            found = session.describe()
            graph = ", ".join(filter(None, (found["cuda_graph"], found.get("why_no_cuda_graph"))))
        except JetfleetError as error:
            graph = error.message
        finally:
            session.close()
    return f"{told}; layer types {types}; CUDA graph: {graph}"


def quantised(context: CheckContext) -> str:
    with tempfile.TemporaryDirectory(prefix="jetfleet-settle-") as folder:
        return _build(Path(folder), "gpu", PRECISION_INT8, {})[1]


def version_compatible(context: CheckContext) -> str:
    with tempfile.TemporaryDirectory(prefix="jetfleet-settle-") as folder:
        return _build(Path(folder), "gpu", PRECISION_FP32, {"version_compatible": "on"})[1]


def hardware_compatible(context: CheckContext) -> str:
    with tempfile.TemporaryDirectory(prefix="jetfleet-settle-") as folder:
        return _build(Path(folder), "gpu", PRECISION_FP32, {"hardware_compatibility": "ampere_plus"})[1]


def _refuse_without_dla(context: CheckContext) -> None:
    known = context.board.known
    if known is not None and not known.dla_cores:
        raise CouldNotAsk("this module has no DLA")


def _build(
    folder: Path,
    placement: str,
    precision: "Precision.ValueType",
    options: Mapping[str, str],
    *,
    half: bool = False,
) -> tuple[BuildResult, str]:
    """Builds into `engine`; with `half` from the graph whose inputs and outputs are float16.

    Raises JetfleetError where TensorRT refuses, which is an answer as well.
    """
    runtime = _runtime()
    artifacts = []
    graphs = {**_ROLES, ARTIFACT_ROLE_MODEL_FP16: HALF} if half else _ROLES
    for role, content in graphs.items():
        (folder / f"{role}.onnx").write_bytes(content)
        artifacts.append(Artifact(role=role, name=f"{role}.onnx"))
    task = BuildTask(
        engine_key="settle",
        runtime="tensorrt",
        runtime_version=runtime.version(),
        precision=precision,
        placement=placement,
        inputs=[_HALF_INPUT if half else _INPUT],
        artifacts=artifacts,
        options=options,
    )
    begin = time.monotonic()
    result = runtime.build(task, folder, folder / "engine", _no_file, lambda *_: None)
    size, took_s = (folder / "engine").stat().st_size, time.monotonic() - begin
    warned = f"; warnings: {' / '.join(list(result.built.warnings)[:3])}" if result.built.warnings else ""
    return result, f"built, {size} bytes in {took_s:.1f} s{warned}"


def _layer_types(folder: Path) -> str:
    """Of the inspector's JSON."""
    inputs = {"x": np.ones((1, 8, 16, 16), np.float32)}
    try:
        found = _runtime().inspect(folder / "engine", _subject("dla0", {}), inputs, folder)
    except JetfleetError as error:
        return f"unknown ({error.message})"
    texts = [json.dumps(json.loads(file.path.read_text())) for file in found.files if file.path.suffix == ".json"]
    kinds = sorted({kind for text in texts for kind in re.findall(r'"LayerType": "([^"]*)"', text)})
    return ", ".join(kinds) or "none told"


def _subject(placement: str, options: Mapping[str, str]) -> Subject:
    return Subject(
        variant_key="settle",
        placement=placement,
        streams=1,
        batch=1,
        runtime="tensorrt",
        runtime_version=_runtime().version(),
        precision=PRECISION_FP16,
        inputs=[_INPUT],
        options=options,
    )


def _named(context: CheckContext, pattern: str) -> str:
    folders = entries(context.root, _LIBRARIES)
    return ", ".join(sorted({path.name for folder in folders for path in entries(folder, pattern)})[:4]) or "none"


def _no_file(artifact: Artifact) -> Path:
    raise CouldNotAsk(f"there is no file {artifact.name}")


QUESTIONS = (
    Question(
        "TensorRT",
        "which version, with the lean runtime beside it?",
        "import, libraries, dpkg",
        version,
        needs="gpu",
        limit_s=30,
    ),
    Question(
        "Q/DQ build",
        "does an INT8 graph with Q/DQ build? (known to fail on Orin with 10.16.2)",
        "a convolution",
        quantised,
        needs="gpu",
        live=True,
        limit_s=30,
    ),
    Question(
        "version compatible", "does it build?", "a convolution", version_compatible, needs="gpu", live=True, limit_s=25
    ),
    Question(
        "hardware compatible",
        "does ampere_plus build?",
        "a convolution",
        hardware_compatible,
        needs="gpu",
        live=True,
        limit_s=25,
    ),
    Question(
        "DLA alone", "does a network compile with gpu_fallback off?", "a convolution", dla_alone, live=True, limit_s=25
    ),
    Question("DLA", "does it compile with gpu_fallback on?", "a convolution", dla_with_fallback, live=True, limit_s=25),
    Question(
        "DLA in a CUDA graph",
        "can an engine on the DLA be captured, and what does the inspector call its layers?",
        "the same network",
        dla_in_a_graph,
        live=True,
        limit_s=25,
    ),
)
