"""ONNX Runtime's CUDA provider as far as a machine without a GPU can tell: what it is asked, and what is refused."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from agent.runtime.base import DeviceFault, Kernel, LayerTime
from agent.runtime.gpu.cuda import Stream
from agent.runtime.gpu.engine import Slot
from agent.runtime.onnxruntime.cuda import (
    CudaEngine,
    assignment,
    cuda_provider_version,
    cuda_providers,
    cuda_session_options,
)
from agent.runtime.onnxruntime.graph import open_engine
from agent.runtime.onnxruntime.options import session_options
from agent.runtime.onnxruntime.profile import read_layers, read_profile
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from agent.work.audit import describe_types, precision_flags
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_TF32,
    Artifact,
    BuildTask,
    Precision,
    Subject,
)
from tests.agent.builders import classifier, nowhere, tensor_spec

X = np.ones((2, 6), np.float32)


def silent(phase: str, fraction: float | None, detail: str) -> None: ...


def task(precision: "Precision.ValueType", placement: str, **options: str) -> BuildTask:
    artifacts = [
        Artifact(role=ARTIFACT_ROLE_MODEL_FP32, name="model.onnx"),
        Artifact(role=ARTIFACT_ROLE_MODEL_FP16, name="half.onnx"),
    ]
    return BuildTask(
        engine_key="k",
        precision=precision,
        placement=placement,
        inputs=[tensor_spec()],
        artifacts=artifacts,
        options=options,
    )


def test_tf32_is_off_unless_it_is_what_was_asked_for() -> None:
    for precision, on in ((PRECISION_FP32, "0"), (PRECISION_FP16, "0"), (PRECISION_INT8, "0"), (PRECISION_TF32, "1")):
        (name, options), last = cuda_providers(precision)
        assert (name, options["use_tf32"], last) == ("CUDAExecutionProvider", on, "CPUExecutionProvider")
        assert "user_compute_stream" not in options


def test_it_works_on_the_sessions_own_stream() -> None:
    (_, options), _ = cuda_providers(PRECISION_FP32, Stream(SimpleNamespace(handle=140_000_000)))
    assert options["user_compute_stream"] == "140000000"


def test_options_of_the_gpu_are_no_options_of_the_cpu() -> None:
    given = {"wait": "spin", "cuda_graph": "on", "threads": "2"}
    made = cuda_session_options(given)
    assert made.intra_op_num_threads == 2
    assert made.get_session_config_entry("session.disable_quant_qdq") == "1"
    with pytest.raises(BadInput, match="cuda_graph, wait"):
        session_options(given)
    with pytest.raises(BadInput, match="has no option speed"):
        cuda_session_options({"speed": "max"})


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this onnxruntime has a CUDA provider"
)
def test_a_build_without_cuda_says_so_instead_of_running_on_the_cpu(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(classifier()[0].SerializeToString())
    with pytest.raises(DeviceFault, match="has no CUDAExecutionProvider") as caught:
        OnnxRuntime().build(task(PRECISION_FP32, "gpu"), tmp_path, tmp_path / "engine", nowhere, silent)
    assert "onnxruntime-gpu" in caught.value.hint
    assert cuda_provider_version() is None


def test_a_session_without_cuda_is_a_device_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(DeviceFault, match="pycuda does not import"):
        OnnxRuntime().load(tmp_path / "engine", Subject(placement="gpu", inputs=[tensor_spec()]), nowhere)


@pytest.mark.parametrize(
    ("precision", "placement", "words"),
    [
        (PRECISION_TF32, "cpu", "no tf32 on the CPU"),
        (PRECISION_INT8, "gpu", "the task brings none"),
        (PRECISION_FP16, "dla", "does not run on 'dla'"),
    ],
)
def test_what_cannot_be_built_there(
    tmp_path: Path, precision: "Precision.ValueType", placement: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        OnnxRuntime().build(task(precision, placement), tmp_path, tmp_path / "engine", nowhere, silent)


def cpu_session(folder: Path) -> onnxruntime.InferenceSession:
    """A real session, all of it on the CPU provider: that is what a fall-back looks like."""
    path = folder / "model.onnx"
    path.write_bytes(classifier()[0].SerializeToString())
    options = cuda_session_options({})
    options.add_free_dimension_override_by_name("N", 2)
    return open_engine(path, options)


def test_nodes_that_fell_back_are_counted_by_operator(tmp_path: Path) -> None:
    told = assignment(cpu_session(tmp_path))
    if not hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info"):
        assert told.startswith("unknown")
    else:
        assert told == "0 of 2 on CUDAExecutionProvider, on the CPU 1 Relu, 1 MatMul"


def test_an_engines_slots_are_the_graphs(tmp_path: Path) -> None:
    engine = CudaEngine(cpu_session(tmp_path), session_options({}), [tensor_spec()])
    assert engine.inputs == [Slot("x", "float32", (2, 6))]
    assert engine.outputs == [Slot("scores", "float32", (2, 4))]
    assert engine.inputs[0].nbytes == 48
    engine.close()


def test_an_output_without_a_size_has_no_place_on_the_gpu(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(classifier()[0].SerializeToString())
    with pytest.raises(BadInput, match="its shape depends on the data") as caught:
        CudaEngine(open_engine(path, session_options({})), session_options({}), [tensor_spec()])
    assert "on the cpu" in caught.value.hint


def node(name: str, provider: str, ts: int, duration_us: int) -> dict[str, object]:
    arguments = {"op_name": "Conv", "provider": provider, "input_type_shape": [{"float16": [1, 3, 8, 8]}]}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": duration_us, "args": arguments}


def run(ts: int) -> dict[str, object]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": 50}


def test_a_kernel_that_fell_back_to_the_cpu_does_not_count_as_the_precision_asked_for(tmp_path: Path) -> None:
    """In the form of a profile that ONNX Runtime 1.31.1 wrote on an NVIDIA H200."""
    events = [run(0), node("a", "CUDAExecutionProvider", 1, 5), node("b", "CPUExecutionProvider", 2, 5)]
    (tmp_path / "p.json").write_text(json.dumps(events))
    kernels = read_profile(tmp_path / "p.json", on_gpu=True)
    assert kernels == [Kernel("Conv", "float16"), Kernel("Conv", "float16 on the CPU")]
    assert "1 of 2 compute nodes ran in float16 on the CPU" in describe_types(kernels)
    assert precision_flags(PRECISION_FP16, kernels)
    assert not precision_flags(PRECISION_FP16, read_profile(tmp_path / "p.json"))


def test_layers_are_means_over_the_runs_after_the_first(tmp_path: Path) -> None:
    cpu = "CPUExecutionProvider"
    events = [run(0), node("a", cpu, 1, 900), run(100), node("a", cpu, 101, 20), node("b", cpu, 121, 8)]
    events += [run(200), node("a", cpu, 201, 30), node("b", cpu, 231, 8)]
    (tmp_path / "p.json").write_text(json.dumps(events))
    assert read_layers(tmp_path / "p.json") == ([LayerTime("a", 0.025), LayerTime("b", 0.008)], 2)


def test_a_real_profile_tells_every_layers_time(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(classifier()[0].SerializeToString())
    OnnxRuntime().build(task(PRECISION_FP32, "cpu"), tmp_path, tmp_path / "engine", nowhere, silent)
    (tmp_path / "scratch").mkdir()
    subject = Subject(placement="cpu", inputs=[tensor_spec()])
    found = OnnxRuntime().inspect(tmp_path / "engine", subject, {"x": X}, tmp_path / "scratch")
    assert found.runs >= 1
    assert len(found.layers) == len(found.kernels) == 2
    assert all(layer.ms >= 0 for layer in found.layers)
