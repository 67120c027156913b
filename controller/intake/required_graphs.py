"""Which files a variant needs, and so which graphs are made at all. Pure; says nothing of how they are made.

INT8 is Q/DQ over FP16 on a GPU or DLA and over FP32 on a CPU. TensorRT may make a precision itself, by builder flags,
from the FP32 graph and the calibration data: which way it goes is decided per device, so its variants carry both.
"""

from collections.abc import Sequence

from controller.intake.exchange import LoweringRequest, ModelFile, RefusedGraph, RefusedSize
from controller.intake.jobfile.matrix import VariantPoint, precision_places
from controller.intake.jobfile.spec import LoadedJob
from controller.intake.jobfile.yaml import Steps
from controller.model.job import BUILD_ROLES, Precision, Role
from jetfleet.placement import CPU, Placement

_FLOAT32 = frozenset({Precision.FP32, Precision.TF32})
_TYPED = frozenset({"tensorrt", "tensorrt_rtx"})


def base_of(runtime: str, placement: str) -> Precision:
    """The floats under and between the Q/DQ pairs of an INT8 graph that runs there."""
    on_cpu = Placement(placement).kinds == {CPU}
    return Precision.FP32 if on_cpu and runtime not in _TYPED else Precision.FP16


def needs(point: VariantPoint, item: ModelFile) -> bool:
    """Whether a variant carries a file. TF32 is the FP32 graph, run otherwise."""
    if item.size not in (None, point.size):
        return False
    graph = Precision.FP32 if point.precision is Precision.TF32 else point.precision
    if item.role is Role.CALIBRATION:
        return point.runtime == "tensorrt" and graph is Precision.INT8
    if item.precision is Precision.FP32 and item.role in BUILD_ROLES and point.runtime == "tensorrt":
        return True
    return item.precision in (None, graph) and item.base in (None, base_of(point.runtime, point.placement))


def refusal_of(point: VariantPoint, refused: Sequence[RefusedGraph], sizes: Sequence[RefusedSize]) -> str:
    """Why a variant cannot run: its size, or its graph could not be made; empty: it can."""
    size = next((item.reason for item in sizes if item.size == point.size), "")
    base = base_of(point.runtime, point.placement) if point.precision is Precision.INT8 else Precision.FP16
    wanted = (point.precision, base)
    return size or next((item.reason for item in refused if (item.precision, item.base) == wanted), "")


def lowering_requests(loaded: LoadedJob) -> tuple[LoweringRequest, ...]:
    """Every graph beside FP32 that some variant needs: INT8 once for each kind of floats under it."""
    places = dict(precision_places(loaded.job.variants, loaded.points))
    requests = []
    for precision in (item for item in places if item in (Precision.FP16, Precision.INT8)):
        wanted = [point for point in loaded.points if point.precision is precision]
        bases = {
            base_of(point.runtime, point.placement) if precision is Precision.INT8 else Precision.FP16
            for point in wanted
        }
        typed = any(point.runtime in _TYPED for point in wanted)
        requests += [
            _lowering_request(loaded, precision, places[precision], base, typed=typed)
            for base in Precision
            if base in bases
        ]
    return tuple(requests)


def float32_steps(loaded: LoadedJob) -> Steps:
    """What asks for the graph in float32; empty: nothing does."""
    places = precision_places(loaded.job.variants, loaded.points)
    return next((steps for precision, steps in places if precision in _FLOAT32), ())


def _lowering_request(
    loaded: LoadedJob, precision: Precision, steps: Steps, base: Precision, *, typed: bool
) -> LoweringRequest:
    return LoweringRequest(precision, steps, loaded.check_for(precision), base=base, typed=typed)
