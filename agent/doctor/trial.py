"""What the doctor tries in a child process, for it may crash, hang or load a gigabyte: `python -m agent.doctor.trial`.

Arguments: the file for its steps, and `cuda` or a runtime with a placement. Each step that is done is a line of JSON in
the file; what ends the trial early is its last line. How far it got is so known even of a child that was killed.
"""

import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from agent.device.cudadriver import CudaDriver
from agent.runtime.arrays import Tensor
from agent.runtime.registry import open_runtime
from jetfleet.errors import JetfleetError, TaskFailed
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP32,
    LOWERING_BUILDER_FLAGS,
    LOWERING_TYPED_GRAPH,
    PRECISION_FP32,
    Artifact,
    BuildTask,
    Subject,
    TensorSpec,
)

# y = relu(x @ w), x[1, 4], w[i, j] = (4 i + j - 7) / 4, opset 17: small enough to write down; a test makes it anew.
TINY_ONNX = base64.b64decode(
    "CAgSADqeAQoRCgF4CgF3EgFtIgZNYXRNdWwKDAoBbRIBeSIEUmVsdRIEdGlueSpLCAQIBBABQgF3SkAAAOC/AADAvwAAoL8AAIC/AABAvwAAAL8A"
    "AIC+AAAAAAAAgD4AAAA/AABAPwAAgD8AAKA/AADAPwAA4D8AAABAWhMKAXgSDgoMCAESCAoCCAEKAggEYhMKAXkSDgoMCAESCAoCCAEKAggEQgQK"
    "ABAR"
)
_X = np.array([[1.0, -2.0, 3.0, 0.5]], dtype=np.float32)
_Y = np.array([[1.125, 1.75, 2.375, 3.0]], dtype=np.float32)
_TOLERANCE = 1e-3

Step = Callable[[str, str], None]


def main(arguments: list[str]) -> int:
    with Path(arguments[0]).open("a", encoding="utf-8") as file:

        def say(**line: str) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        def step(name: str, detail: str) -> None:
            say(step=name, detail=detail)

        try:
            if arguments[1] == "cuda":
                try_cuda(step)
            else:
                try_runtime(step, arguments[1], arguments[2])
        except (JetfleetError, OSError, MemoryError) as error:
            say(error=str(error) or type(error).__name__)
            return 1
    return 0


def try_cuda(step: Step) -> None:
    """Loads the driver, takes the first device's context, and writes to its memory and reads it back."""
    driver = CudaDriver()
    device = driver.first_device()
    step("device", f"{device.name}, CC {device.compute_capability}, {device.sm_count} SMs, CUDA {device.cuda}")
    driver.exercise()
    step("context", "memory written and read back")


def try_runtime(step: Step, name: str, placement: str) -> None:
    """Imports a runtime, builds a tiny engine, runs it once and holds its output against the truth."""
    runtime = open_runtime(name)
    version = runtime.version()
    step("import", version)
    with tempfile.TemporaryDirectory(prefix="jetfleet-doctor-") as made:
        folder = Path(made)
        (folder / "tiny.onnx").write_bytes(TINY_ONNX)
        begin = time.monotonic()
        inputs = [TensorSpec(name="x", dtype="float32", shape=[1, 4])]
        runtime.build(_task(name, version, placement, inputs), folder, folder / "engine", _no_file, _silent)
        size = (folder / "engine").stat().st_size
        step("build", f"{size} bytes in {time.monotonic() - begin:.1f} s")
        subject = Subject(variant_key="doctor", placement=placement, streams=1, batch=1, runtime=name, inputs=inputs)
        subject.runtime_version, subject.precision = version, PRECISION_FP32
        session = runtime.load(folder / "engine", subject, _no_file)
        step("load", "")
        try:
            session.bind({"x": _X})
            session.infer()
            found = session.outputs()
        finally:
            session.close()
    check_outputs(found)
    step("run", "output right")


def check_outputs(found: Mapping[str, Tensor]) -> None:
    """Raises TaskFailed unless the tiny network's one output is what its weights make of its input."""
    right = list(found) == ["y"] and found["y"].shape == _Y.shape and np.allclose(found["y"], _Y, atol=_TOLERANCE)
    if not right:
        shown = {name: array.tolist() for name, array in found.items()}
        raise TaskFailed(f"the output is wrong: {shown} instead of {_Y.tolist()}")


def _task(name: str, version: str, placement: str, inputs: list[TensorSpec]) -> BuildTask:
    """TensorRT up to 9 has no typed graphs."""
    old = name == "tensorrt" and int(version.split(".")[0]) < 10
    return BuildTask(
        engine_key="doctor",
        runtime=name,
        runtime_version=version,
        precision=PRECISION_FP32,
        lowering=LOWERING_BUILDER_FLAGS if old else LOWERING_TYPED_GRAPH,
        placement=placement,
        inputs=inputs,
        artifacts=[Artifact(role=ARTIFACT_ROLE_MODEL_FP32, name="tiny.onnx")],
    )


def _no_file(artifact: Artifact) -> Path:
    raise TaskFailed(f"the trial has no file {artifact.name}")


def _silent(phase: str, fraction: float | None, detail: str) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
