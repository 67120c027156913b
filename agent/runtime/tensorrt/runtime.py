"""TensorRT 8.6 to 11.x, and TensorRT for RTX, its sibling for workstations, over one and the same code.

The module is imported by name when a runtime is opened, and handed on from here: nothing else imports it.
"""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import ModuleType

from agent.runtime.arrays import Tensor
from agent.runtime.base import BuildResult, Inspection, Locate, Report, refuse_other_version
from agent.runtime.gpu.cuda import Cuda
from agent.runtime.gpu.options import GpuOptions
from agent.runtime.gpu.session import GpuSession
from agent.runtime.tensorrt.ability import ability
from agent.runtime.tensorrt.build import Build, BuildRequest, model_path
from agent.runtime.tensorrt.engine import LoadedEngine, TrtEngine
from agent.runtime.tensorrt.inspect import inspect_engine
from agent.runtime.tensorrt.lean import refuse_without_lean
from agent.runtime.tensorrt.memory import open_cuda
from agent.runtime.tensorrt.options import read_build_options
from agent.runtime.tensorrt.precision import lower
from agent.runtime.tensorrt.sigterm import stop_on_sigterm
from jetfleet.errors import BadInput
from jetfleet.option_kinds import Audience
from jetfleet.options import CUDA_GRAPH, read_options
from jetfleet.placement import CORES, DLA, GPU, Placement
from jetfleet.tensorrt import NO_DLA_GRAPH
from jetfleet.v1.task_pb2 import PROVENANCE_MEASURED, BuildTask, Subject

_BUILT_FOR, _RUN_ON = ("", GPU, DLA), ("", GPU, *CORES)


class TensorRt:
    """Makes and runs engines on a GPU, and on a DLA where there is one."""

    name = "tensorrt"
    provenance = PROVENANCE_MEASURED
    workstation = False

    def __init__(self, trt: ModuleType | None = None) -> None:
        """Raises ImportError or OSError where this TensorRT, or a library that it needs, is not installed."""
        self.trt: ModuleType = trt or importlib.import_module(self.name)
        if not hasattr(self.trt, "Builder"):
            raise ImportError(f"the module {self.name} that is installed is not TensorRT")

    def version(self) -> str:
        return str(self.trt.__version__)

    def build(self, task: BuildTask, model_dir: Path, out: Path, locate: Locate, report: Report) -> BuildResult:
        """A SIGTERM meanwhile stops the build, where this TensorRT can be stopped, and then the process."""
        with stop_on_sigterm(able=hasattr(self.trt, "IProgressMonitor")) as stop:
            return self.build_until(stop, task, model_dir, out, locate, report)

    def build_until(
        self, stop: Event, task: BuildTask, model_dir: Path, out: Path, locate: Locate, report: Report
    ) -> BuildResult:
        """As `build`; raises Cancelled once `stop` is set and the builder has come to the end of its step."""
        order = self._order(task, model_dir, out, locate)
        cuda = open_cuda()
        try:
            build = Build(self.trt, order, cuda)
            try:
                return build.run(report, stop)
            finally:
                build.close()
        finally:
            if cuda is not None:
                cuda.close()

    def load(self, engine: Path, subject: Subject, locate: Locate) -> GpuSession:
        refuse_other_version(subject, self.version())
        session, _, _ = self._open(engine, subject)
        return session

    def open_as(self, engine: Path, subject: Subject, how: GpuOptions) -> GpuSession:
        """As `load`, but run as is said here, whatever is refused to jobs: for those who ask whether it can be done."""
        session, _, _ = self._opened(engine, subject, how, host_code=False)
        return session

    def inspect(self, engine: Path, subject: Subject, inputs: Mapping[str, Tensor], scratch: Path) -> Inspection:
        plain = Subject()
        plain.CopyFrom(subject)
        plain.options[CUDA_GRAPH] = "off"  # within a graph no layer reports its time
        plain.options["inflight"] = "1"  # and times are asked for after each inference
        session, loaded, made = self._open(engine, plain)
        try:
            dla = Placement(subject.placement).is_dla
            return inspect_engine(self.trt, loaded, made, session, inputs, dla=dla, scratch=scratch)
        finally:
            session.close()

    def _order(self, task: BuildTask, model_dir: Path, out: Path, locate: Locate) -> BuildRequest:
        """Everything that can be refused before a file is opened. Raises BadInput."""
        _refuse_placement(task.placement, _BUILT_FOR, self.name)
        options = read_build_options(task.options, self.name)
        able = ability(self.trt, workstation=self.workstation)
        if options.is_on("version_compatible"):
            refuse_without_lean(able.version)
        lowered = lower(task, able)
        return BuildRequest(task, options, lowered, able, model_path(task, lowered, model_dir), out, locate)

    def _open(self, engine: Path, subject: Subject) -> tuple[GpuSession, LoadedEngine, TrtEngine]:
        _refuse_placement(subject.placement, _RUN_ON, self.name)
        options = read_options(subject.options, self.name, Audience.BUILDER, Audience.DLA_BUILDER, Audience.GPU_RUN)
        how = GpuOptions.of(options)
        if Placement(subject.placement).is_dla:
            if how.cuda_graph == "on":
                raise BadInput(NO_DLA_GRAPH, where="options.cuda_graph", expected="off")
            how = replace(how, no_graph="nobody documents that a CUDA graph records a DLA")
        return self._opened(engine, subject, how, host_code=options.is_on("version_compatible"))

    def _opened(
        self, engine: Path, subject: Subject, how: GpuOptions, *, host_code: bool
    ) -> tuple[GpuSession, LoadedEngine, TrtEngine]:
        cuda = Cuda.open(wait=how.wait)
        try:
            loaded = LoadedEngine(
                self.trt,
                engine,
                dla_core=Placement(subject.placement).core,
                host_code=host_code,
            )
            try:
                made = TrtEngine(self.trt, loaded, subject)
            except BaseException:
                loaded.close()
                raise
        except BaseException:
            cuda.close()
            raise
        session = GpuSession(made, cuda, how, another=lambda: self._beside(loaded, subject, how))
        return session, loaded, made

    def _beside(self, loaded: LoadedEngine, subject: Subject, how: GpuOptions) -> GpuSession:
        """One more execution context of an engine, which it shares the weights of."""
        cuda = Cuda.open(wait=how.wait)
        try:
            made = TrtEngine(self.trt, loaded, subject, owns=False)
        except BaseException:
            cuda.close()
            raise
        return GpuSession(made, cuda, how)


class TensorRtRtx(TensorRt):
    """TensorRT for RTX: desktop GPUs, strongly typed networks, no DLA, no timing cache; builds without a GPU."""

    name = "tensorrt_rtx"
    workstation = True


def _refuse_placement(placement: str, known: tuple[str, ...], runtime: str) -> None:
    if placement not in known:
        expected = ", ".join(filter(None, known))
        raise BadInput(f"{runtime} does not run on {placement!r}", where="placement", expected=expected)
