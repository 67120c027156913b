"""Which files a variant needs, and so which graphs are made at all. Pure; says nothing of how they are made.

INT8 is Q/DQ over FP16 on a GPU or DLA, each with a placement of the pairs of its own, and over FP32 on a CPU. TensorRT
may make a precision itself, by builder flags, from the FP32 graph and the calibration data: which way it goes is
decided per device, so its variants carry both.
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
    if item.dla is not None and item.dla not in _int8_places(point):
        return False
    return item.precision in (None, graph) and item.base in (None, base_of(point.runtime, point.placement))


def refusal_of(point: VariantPoint, refused: Sequence[RefusedGraph], sizes: Sequence[RefusedSize]) -> str:
    """Why a variant cannot run: its size, or its graph could not be made; empty: it can."""
    size = next((item.reason for item in sizes if item.size == point.size), "")
    base = base_of(point.runtime, point.placement) if point.precision is Precision.INT8 else Precision.FP16
    places = _int8_places(point) if point.precision is Precision.INT8 else {False}
    found = (item for item in refused if (item.precision, item.base) == (point.precision, base))
    return size or next((item.reason for item in found if item.dla in places), "")


def _int8_places(point: VariantPoint) -> set[bool]:
    """Whether a variant runs on a DLA, elsewhere, or on both: each has an INT8 graph of its own."""
    parts = Placement(point.placement).parts
    return {Placement(part).is_dla and point.runtime == "tensorrt" for part in parts}


def lowering_requests(loaded: LoadedJob) -> tuple[LoweringRequest, ...]:
    """Every graph beside FP32 that some variant needs: INT8 once for each kind of floats under it."""
    places = dict(precision_places(loaded.job.variants, loaded.points))
    requests = []
    for precision in (item for item in places if item in (Precision.FP16, Precision.INT8)):
        wanted = [point for point in loaded.points if point.precision is precision]
        typed = any(point.runtime in _TYPED for point in wanted)
        graphs = _int8_graphs(wanted) if precision is Precision.INT8 else [(Precision.FP16, False)]
        check = loaded.check_for(precision)
        requests += [
            LoweringRequest(precision, places[precision], check, base=base, typed=typed, dla=dla)
            for base, dla in graphs
        ]
    return tuple(requests)


def _int8_graphs(points: Sequence[VariantPoint]) -> list[tuple[Precision, bool]]:
    """The floats under the pairs, and whether they are placed for a DLA."""
    wanted = {(base_of(point.runtime, point.placement), dla) for point in points for dla in _int8_places(point)}
    return [(base, dla) for base in Precision for dla in (False, True) if (base, dla) in wanted]


def float32_steps(loaded: LoadedJob) -> Steps:
    """What asks for the graph in float32; empty: nothing does."""
    places = precision_places(loaded.job.variants, loaded.points)
    return next((steps for precision, steps in places if precision in _FLOAT32), ())
