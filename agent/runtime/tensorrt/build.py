"""One build with TensorRT, from a checked task to a plan: parse, configure, ask the DLA, build, tell what was seen."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from agent.runtime.arrays import Tensor, read_npy
from agent.runtime.base import BuildRefused, BuildResult, DeviceFault, File, Locate, Report, model_file
from agent.runtime.gpu.cuda import Cuda
from agent.runtime.tensorrt.ability import Ability
from agent.runtime.tensorrt.calibrate import Calibrator, Uploader, check_samples, make_calibrator
from agent.runtime.tensorrt.config import configure, place_on_dla, safe_pools, set_pools
from agent.runtime.tensorrt.dla import eligibility, refuse_partial, refuse_without_cores, running_layers
from agent.runtime.tensorrt.dla_io import set_formats
from agent.runtime.tensorrt.dla_placement import NetworkLayer, certain_fallbacks, dla_report
from agent.runtime.tensorrt.engine import LoadedEngine
from agent.runtime.tensorrt.layers import Layer, parse_layers
from agent.runtime.tensorrt.log import BuilderLog
from agent.runtime.tensorrt.memory import PeakMemory, is_shared, memory_advice, reader, usable_bytes
from agent.runtime.tensorrt.network import Draft, add_profile, check_inputs, device_type, fix_shapes, parse
from agent.runtime.tensorrt.options import pools_of
from agent.runtime.tensorrt.precision import QDQ_GRAPHS, PrecisionPlan
from agent.runtime.tensorrt.progress import BuildProgress, make_monitor
from agent.runtime.tensorrt.timing import TimingCache
from jetfleet.errors import BadInput, Cancelled
from jetfleet.options import COLD, TIMING_CACHE, OptionValues
from jetfleet.placement import Placement
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    ARTIFACT_ROLE_CALIBRATION_CACHE,
    ARTIFACT_ROLE_LAYERS,
    ARTIFACT_ROLE_TIMING_CACHE,
    PRECISION_INT8,
    BuildTask,
    Built,
    DlaReport,
)

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger(__name__)

_NO_QDQ = "int8 from calibration data (lowering: flags) needs no Q/DQ pairs; fp16 shows whether the graph itself builds"


@dataclass(frozen=True)
class BuildRequest:
    """What to build, checked, and where it goes."""

    task: BuildTask
    options: OptionValues
    lowered: PrecisionPlan
    able: Ability
    model: Path
    out: Path
    locate: Locate

    @property
    def dla(self) -> bool:
        return Placement(self.task.placement).is_dla

    @property
    def requires_full_dla(self) -> bool:
        return self.dla and self.options.word("dla_require") == "full"

    def beside(self, name: str) -> Path:
        return self.out.with_name(f"{self.out.name}.{name}")


class Build:
    """One build. Whatever TensorRT calls or reads while it builds is kept here until `close`."""

    def __init__(self, trt: ModuleType, order: BuildRequest, cuda: Cuda | None) -> None:
        self._trt, self._order, self._cuda = trt, order, cuda
        self._shared = is_shared(cuda)
        self.builder_log = BuilderLog(verbose=order.dla)
        self._draft = Draft(trt, self.builder_log, typed=order.lowered.typed)
        self._calibrator: Calibrator | None = None
        self._uploader: Uploader | None = None
        self._kept: list[Any] = []
        self._layers: list[NetworkLayer] = []
        self._timing: TimingCache | None = None
        self._files: list[File] = []

    def run(self, report: Report, stop: threading.Event) -> BuildResult:
        """Raises BadInput, BuildRefused, MemoryError, and Cancelled if `stop` ended the build."""
        order, draft = self._order, self._draft
        report("build", 0.0, f"parsing {order.model.name}")
        parse(self._trt, draft, order.model, self.builder_log, order.able, adjust_for_dla=order.dla)
        check_inputs(self._trt, draft.network, order.task.inputs)
        peak_bytes = self._build(self._configure(), report, stop)
        return self._result(peak_bytes)

    def close(self) -> None:
        """Gives everything back, in the order in which TensorRT wants to lose it; harmless when repeated."""
        self._timing = None
        self._draft.close()
        self._kept.clear()
        if self._uploader is not None:
            self._uploader.close()

    def _build(self, config: "trt.IBuilderConfig", report: Report, stop: threading.Event) -> int | None:
        """Writes the plan; the most memory that it took."""
        draft = self._draft
        monitor = make_monitor(self._trt, BuildProgress(report, stop.is_set))
        if monitor is not None:
            self._kept.append(monitor)
            config.progress_monitor = monitor
        with PeakMemory(reader(shared=self._shared, cuda=self._cuda)) as peak:
            plan = draft.builder.build_serialized_network(draft.network, config)
        if stop.is_set():
            raise Cancelled("the build was stopped")
        if self._calibrator is not None and self._calibrator.error is not None:
            raise self._calibrator.error
        if plan is None:
            raise self._refusal()
        self._order.out.write_bytes(memoryview(plan))
        return peak.used_bytes

    def _configure(self) -> "trt.IBuilderConfig":
        trt, order, draft = self._trt, self._order, self._draft
        config = draft.builder.create_builder_config()
        pools = safe_pools(pools_of(order.options), usable_bytes() if self._shared else None)
        set_pools(trt, config, pools, self.builder_log)
        configure(trt, config, order.options, order.lowered)
        self._warn_of_qdq()
        if order.dla:
            fix_shapes(draft.network, order.task.inputs)
        profile = add_profile(draft.builder, config, draft.network, order.task.inputs)
        if order.lowered.calibrate:
            self._calibrate(config, profile)
        if order.dla:
            self._place_on_dla(config)
        if order.able.caches:
            self._timing = TimingCache(config, self.builder_log)
            self._timing.load(
                () if order.options.word(TIMING_CACHE) == COLD else order.task.timing_caches, order.locate
            )
        return config

    def _place_on_dla(self, config: "trt.IBuilderConfig") -> None:
        order, draft = self._order, self._draft
        fallback, typed = order.options.is_on("gpu_fallback"), order.lowered.typed
        refuse_without_cores(draft.builder.num_DLA_cores)
        place_on_dla(self._trt, config, gpu_fallback=fallback)
        if not fallback:
            set_formats(self._trt, config, draft.network, typed=typed, int8=order.task.precision == PRECISION_INT8)
        self._layers = eligibility(config, running_layers(draft.network, typed=typed))
        if order.requires_full_dla:
            refuse_partial(certain_fallbacks(self._layers, self.builder_log.lines), len(self._layers))

    def _warn_of_qdq(self) -> None:
        order, capability = self._order, self._cuda.compute_capability if self._cuda is not None else ""
        if order.lowered.graph in QDQ_GRAPHS and capability in order.able.line.qdq_fails_on:
            self.builder_log.warn(f"{order.able.label} is known to fail on Q/DQ graphs on this GPU: {_NO_QDQ}")

    def _calibrate(self, config: "trt.IBuilderConfig", profile: "trt.IOptimizationProfile | None") -> None:
        samples = check_samples(self._calibration(), self._order.task.inputs)
        narrowed = {
            name: array.astype(device_type(self._trt, str(array.dtype)), copy=False)
            for name, array in samples.arrays.items()
        }
        if self._cuda is None:
            raise DeviceFault("calibration runs on the GPU, and there is none", where="calibration")
        self._uploader = Uploader(self._cuda)
        self._calibrator = Calibrator(replace(samples, arrays=narrowed), self._uploader)
        calibrator = make_calibrator(self._trt, self._calibrator)
        self._kept.append(calibrator)
        config.int8_calibrator = calibrator
        if profile is not None:
            config.set_calibration_profile(profile)

    def _calibration(self) -> dict[str, Tensor]:
        items = [item for item in self._order.task.artifacts if item.role == ARTIFACT_ROLE_CALIBRATION]
        return {item.name: read_npy(self._order.locate(item), name=item.name, mapped=True) for item in items}

    def _refusal(self) -> Exception:
        reason = self.builder_log.reason()
        if self.builder_log.out_of_memory():
            advice = f"; {memory_advice()}" if self._shared else ""
            return MemoryError(f"TensorRT ran out of memory: {reason}{advice}")
        hint = _NO_QDQ if self._order.lowered.graph in QDQ_GRAPHS and self._order.able.weak else ""
        return BuildRefused(f"TensorRT built no engine: {reason}", where=self._order.model.name, hint=hint)

    def _result(self, peak_bytes: int | None) -> BuildResult:
        order, built = self._order, Built()
        if self._timing is not None:
            if (use := self._timing.use()) is not None:
                built.timing_cache.CopyFrom(use)
            self._keep("timing.cache", ARTIFACT_ROLE_TIMING_CACHE, self._timing.save)
        self.close()  # what is left needs none of it, and on a small board the engine needs its memory
        engine_layers = self._inspect(built)
        if self._calibrator is not None and self._calibrator.cache:
            path = order.beside("calibration.cache")
            path.write_bytes(self._calibrator.cache)
            self._files.append(File(ARTIFACT_ROLE_CALIBRATION_CACHE, "calibration.cache", path))
        if order.dla:
            built.dla.CopyFrom(self._where_it_runs(engine_layers))
        if not built.HasField("device_memory_bytes") and self.builder_log.activation_bytes is not None:
            built.device_memory_bytes = self.builder_log.activation_bytes
        if peak_bytes is not None:
            built.peak_device_bytes = max(0, peak_bytes)
        built.tactics_skipped = self.builder_log.tactics_skipped
        built.warnings.extend(self.builder_log.warnings)
        return BuildResult(built, tuple(self._files))

    def _where_it_runs(self, engine_layers: Sequence[Layer]) -> DlaReport:
        """Raises BuildRefused for a part on the GPU that the job does not want: what fitted alone may not have fitted
        together."""
        placed = dla_report(self._layers, engine_layers, self.builder_log.lines)
        if self._order.requires_full_dla:
            refuse_partial(placed.fallbacks, len(self._layers))
        return placed

    def _keep(self, name: str, role: Any, save: Callable[[Path], bool]) -> None:
        path = self._order.beside(name)
        if save(path):
            self._files.append(File(role, name, path))

    def _inspect(self, built: Built) -> Sequence[Layer]:
        """The engine's own layers, where there is a GPU to load it on; a built engine is none the worse without."""
        order = self._order
        if self._cuda is None:
            self.builder_log.warn("the engine was not inspected: there is no GPU that pycuda opens")
            return []
        loaded = None
        try:
            loaded = LoadedEngine(
                self._trt,
                order.out,
                dla_core=0 if order.dla else None,
                host_code=order.options.is_on("version_compatible"),
            )
            text = loaded.layers(self._trt)
            layers = parse_layers(text, dla=order.dla)
            if (size := loaded.device_memory_bytes()) is not None:
                built.device_memory_bytes = size
        except Exception as error:
            log.exception("what was built could not be looked into")
            self.builder_log.warn(f"the engine was not inspected: {error}")
            return []
        finally:
            if loaded is not None:
                loaded.close()
        path = order.beside("layers.json")
        path.write_text(text)
        self._files.append(File(ARTIFACT_ROLE_LAYERS, "layers.json", path))
        return layers


def model_path(task: BuildTask, lowered: PrecisionPlan, model_dir: Path) -> Path:
    """The one graph to build from. Raises BadInput."""
    path = model_dir / model_file(task, (lowered.graph,))
    if not path.is_file():
        raise BadInput("the model is not among the files of the task", where=path.name)
    return path
