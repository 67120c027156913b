"""What runs in a TensorRT engine: the inspector's layers, and the time of each in a profiling run of its own."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from agent.runtime.arrays import Tensor
from agent.runtime.base import File, Inspection, LayerTime
from agent.runtime.gpu.session import GpuSession
from agent.runtime.tensorrt.engine import LoadedEngine, TrtEngine
from agent.runtime.tensorrt.layers import dla_time_share, kernels, parse_layers
from agent.runtime.tensorrt.log import implement
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_LAYERS

RUNS = 10


class Times:
    """An IProfiler's method: the sum of each layer's times, in the order in which layers first ran."""

    def __init__(self) -> None:
        self._sum_ms: dict[str, float] = {}

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        self._sum_ms[layer_name] = self._sum_ms.get(layer_name, 0.0) + ms

    def clear(self) -> None:
        self._sum_ms.clear()

    def means(self, runs: int) -> tuple[LayerTime, ...]:
        return tuple(LayerTime(name, total / runs) for name, total in self._sum_ms.items())


def inspect_engine(
    trt: ModuleType,
    loaded: LoadedEngine,
    engine: TrtEngine,
    session: GpuSession,
    inputs: Mapping[str, Tensor],
    *,
    dla: bool,
    scratch: Path,
) -> Inspection:
    """Layers of the shapes that were bound, and their mean times over RUNS inferences after one that does not count."""
    text = loaded.layers(trt, engine.context)
    times = Times()
    engine.profile(implement(trt.IProfiler, times, ("report_layer_time",)))
    session.bind(inputs)
    for run in range(RUNS + 1):
        session.infer()
        engine.context.report_to_profiler()
        if run == 0:
            times.clear()
    layers = parse_layers(text, dla=dla)
    measured = times.means(RUNS)
    path = scratch / "layers.json"
    path.write_text(text)
    return Inspection(
        kernels=kernels(layers),
        layers=measured,
        dla_time_share=dla_time_share(layers, measured),
        files=(File(ARTIFACT_ROLE_LAYERS, "layers.json", path),),
        runs=RUNS,
        aux_streams=loaded.aux_streams(),
    )
