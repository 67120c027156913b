"""A fake runtime whose sessions are bound to their thread, as those on a GPU are, and whose engines tell everything."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from agent.runtime.arrays import Tensor
from agent.runtime.base import BuildResult, File, Inspection, Kernel, LayerTime, Locate, Report, RoundRecord
from agent.runtime.waiting import clock_ns, wait_until
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_LAYERS, PROVENANCE_MEASURED, BuildTask, Subject

MODULES = {"fake": ("tests.agent.fake_runtime", "FakeRuntime")}


class FakeRuntime:
    """Infers by sleeping for a millisecond. `Subject.options`: `type` is what its kernels tell, `inspect` = fail."""

    name = "fake"
    provenance = PROVENANCE_MEASURED
    sessions: ClassVar[list["FakeSession"]] = []
    inspected: ClassVar[list[Path]] = []

    def version(self) -> str:
        return "1"

    def build(self, task: BuildTask, model_dir: Path, out: Path, locate: Locate, report: Report) -> BuildResult:
        return BuildResult()

    def load(self, engine: Path, subject: Subject, locate: Locate) -> "FakeSession":
        session = FakeSession(subject.placement)
        self.sessions.append(session)
        return session

    def inspect(self, engine: Path, subject: Subject, inputs: Mapping[str, Tensor], scratch: Path) -> Inspection:
        assert not any(session.is_open for session in self.sessions)
        assert set(inputs) == {"x"}
        assert list(scratch.iterdir()) == []
        self.inspected.append(scratch)
        if subject.options.get("inspect") == "fail":
            raise RuntimeError("the profiler is not well")
        (scratch / "layers.json").write_text('{"Layers": []}')
        return Inspection(
            kernels=(Kernel("Conv", subject.options.get("type", "float16")),),
            layers=(LayerTime("conv", 3.0), LayerTime("copy", 1.0)),
            dla_time_share=0.75 if subject.placement.startswith("dla") else None,
            files=(File(ARTIFACT_ROLE_LAYERS, "layers.json", scratch / "layers.json"),),
            runs=10,
            aux_streams=int(subject.options.get("aux_streams", "0")),
        )


class FakeSession:
    """Fails in any thread but the one that made it."""

    def __init__(self, placement: str) -> None:
        self.thread = threading.get_ident()
        self.is_open = True
        self._placement = placement
        self._done = 0

    clock, wait_until = staticmethod(clock_ns), staticmethod(wait_until)

    def another(self) -> "FakeSession":
        session = FakeSession(self._placement)
        FakeRuntime.sessions.append(session)
        return session

    def bind(self, inputs: Mapping[str, Tensor]) -> None:
        self._own()

    def infer(self) -> None:
        self._own()
        time.sleep(0.001)
        self._done += 1

    def outputs(self) -> dict[str, Tensor]:
        self._own()
        return {"y": np.ones(3, np.float32)}

    def prepare(self, count: int) -> None:
        self._own()
        self._done = 0

    def collect(self) -> RoundRecord:
        self._own()
        return RoundRecord({"compute": np.full(self._done, 0.5)}, np.full(self._done, 0.5))

    def describe(self) -> dict[str, str]:
        return {"placed": self._placement, "zero_copy": "off", "inflight": "1"}

    def close(self) -> None:
        self._own()
        assert self.is_open
        self.is_open = False

    def _own(self) -> None:
        assert threading.get_ident() == self.thread, "no currently active context"
