"""What the tests of TensorRT share: a folder in which a task lies as the agent lays it out, and builds in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from agent.runtime.base import BuildResult
from agent.runtime.tensorrt.runtime import TensorRt, TensorRtRtx
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP32,
    PRECISION_FP32,
    Artifact,
    ArtifactRole,
    BuildTask,
    Lowering,
    Precision,
    TensorSpec,
)
from tests.agent.builders import Blobs
from tests.agent.tensorrt.fake import Board, FakeTensorRt
from tests.agent.tensorrt.fake_gpu import BoardCuda
from tests.agent.tensorrt.nets import IMAGE


@dataclass
class Desk:
    """Builds models; `told` holds what was reported."""

    folder: Path
    runtime: TensorRt = field(default_factory=TensorRtRtx)
    told: list[tuple[str, "float | None", str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model_dir = self.folder / "model"
        self.model_dir.mkdir(exist_ok=True)
        self.out = self.folder / "engine.part"
        self.blobs = Blobs(self.folder / "blobs")

    def build(
        self,
        model: bytes,
        inputs: Sequence[TensorSpec] = (IMAGE,),
        *,
        role: "ArtifactRole.ValueType" = ARTIFACT_ROLE_MODEL_FP32,
        precision: "Precision.ValueType" = PRECISION_FP32,
        lowering: "Lowering.ValueType" = 0,
        placement: str = "gpu",
        artifacts: Sequence[Artifact] = (),
        timing_caches: Sequence[Artifact] = (),
        stop: Event | None = None,
        on_report: Callable[[], object] = lambda: None,
        **options: str,
    ) -> BuildResult:
        (self.model_dir / "model.onnx").write_bytes(model)
        task = BuildTask(
            runtime=self.runtime.name,
            precision=precision,
            lowering=lowering,
            placement=placement,
            inputs=inputs,
            artifacts=[Artifact(role=role, name="model.onnx"), *artifacts],
            timing_caches=timing_caches,
            options=options,
        )

        def report(phase: str, fraction: "float | None", detail: str) -> None:
            self.told.append((phase, fraction, detail))
            on_report()

        def locate(artifact: Artifact) -> Path:
            return self.blobs.path(artifact.sha256)

        return self.runtime.build_until(stop or Event(), task, self.model_dir, self.out, locate, report)

    @property
    def phases(self) -> list[str]:
        """Every phase of TensorRT's that was told, outermost and innermost, in order."""
        return list(dict.fromkeys(part for _, _, detail in self.told for part in detail.split(" / ")))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Callable[..., Desk]":
    """A desk with a made-up TensorRT on a fake GPU; `gpu=False`: without one."""

    def made(board: Board, *, gpu: bool = True, integrated: bool = False) -> Desk:
        board.cuda = BoardCuda(integrated=integrated) if gpu else None
        monkeypatch.setattr("agent.runtime.tensorrt.runtime.open_cuda", lambda: board.cuda)
        monkeypatch.setattr("agent.runtime.tensorrt.memory.Cuda.open", BoardCuda)
        return Desk(tmp_path, runtime=TensorRt(FakeTensorRt(board)))

    return made
