"""Tasks as the scheduler sees them, how their attempts ended, and recipes of engines: a test names what it is about."""

from typing import Any

from controller.model.job import Artifact, Lowering, Precision, Role, TensorSpec
from controller.model.task import AttemptEnd, AttemptState, Candidate, FailureKind, Recipe, TaskKind
from testing.specs import MODEL


def bench(task_id: int = 1, /, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "kind": TaskKind.BENCH,
        "job_id": 1,
        "priority": 0,
        "runtime": "onnxruntime",
        "runtime_version": "",
        "placement": "cpu",
        "class_key": "",
        "device_id": None,
    }
    return Candidate(task_id=task_id, **(values | changes))


def ended(state: AttemptState = AttemptState.FAILED, failure: FailureKind | None = None, on: str = "box") -> AttemptEnd:
    return AttemptEnd(state, on, failure)


def failed(kind: FailureKind, on: str = "box") -> AttemptEnd:
    return AttemptEnd(AttemptState.FAILED, on, kind)


def recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "runtime": "onnxruntime",
        "runtime_version": "1.23.2",
        "precision": Precision.FP32,
        "lowering": Lowering.TYPED_GRAPH,
        "placement": "cpu",
        "inputs": (TensorSpec("image", "float32", (1, 3)), TensorSpec("mask", "int64", (1,))),
        "artifacts": (MODEL, Artifact(Role.MODEL_DATA, "weights.bin", "b" * 64, 5)),
        "options": {"threads": "2"},
    }
    return Recipe(**(values | changes))
