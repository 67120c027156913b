"""Which files a variant needs, and so which graphs are made at all. Pure; says nothing of how they are made.

INT8 is Q/DQ over FP16 on a GPU or DLA and over FP32 on a CPU. TensorRT may make a precision itself, by builder flags,
from the FP32 graph and the calibration data: which way it goes is decided per device, so its variants carry both.
"""

from controller.intake.exchange import MadeFile, ToLower
from controller.intake.jobfile.matrix import Point, points, precisions_named
from controller.intake.jobfile.spec import LoadedJob
from controller.intake.jobfile.yaml import Steps
from controller.model.job import CheckRule, Precision, Role
from jetfleet.placement import CPU, Placement

_TYPED = frozenset({"tensorrt", "tensorrt_rtx"})
_ANY_BATCH = 0  # of no job file, so that no `exclude` by batch applies


def base_of(runtime: str, placement: str) -> Precision:
    """The floats under and between the Q/DQ pairs of an INT8 graph that runs there."""
    on_cpu = Placement(placement).kinds == {CPU}
    return Precision.FP32 if on_cpu and runtime not in _TYPED else Precision.FP16


def needs(point: Point, item: MadeFile) -> bool:
    """Whether a variant carries a file. TF32 is the FP32 graph, run otherwise."""
    if item.batch not in (None, point.batch):
        return False
    graph = Precision.FP32 if point.precision is Precision.TF32 else point.precision
    if item.role is Role.CALIBRATION:
        return point.runtime == "tensorrt" and graph is Precision.INT8
    if item.precision is Precision.FP32 and point.runtime == "tensorrt":
        return True
    return item.precision in (None, graph) and item.base in (None, base_of(point.runtime, point.placement))


def to_lower(loaded: LoadedJob) -> tuple[ToLower, ...]:
    """Every graph beside FP32 that some variant needs: INT8 once for each kind of floats under it."""
    named = dict(precisions_named(loaded.job.variants, loaded.document))
    made = []
    for precision in (item for item in named if item in (Precision.FP16, Precision.INT8)):
        wanted = [point for point in _points(loaded) if point.precision is precision]
        bases = {
            base_of(point.runtime, point.placement) if precision is Precision.INT8 else Precision.FP16
            for point in wanted
        }
        typed = any(point.runtime in _TYPED for point in wanted)
        made += [_asked(loaded, precision, named[precision], base, typed=typed) for base in Precision if base in bases]
    return tuple(made)


def unlowered(loaded: LoadedJob) -> Steps:
    """What asks for the graph in float32; empty: nothing does."""
    named = precisions_named(loaded.job.variants, loaded.document)
    left = {point.precision for point in _points(loaded)} & {Precision.FP32, Precision.TF32}
    return next((steps for precision, steps in named if precision in left), ())


def _points(loaded: LoadedJob) -> tuple[Point, ...]:
    return points(loaded.job.variants, loaded.document, own_batch=_ANY_BATCH)


def _asked(loaded: LoadedJob, precision: Precision, steps: Steps, base: Precision, *, typed: bool) -> ToLower:
    check = loaded.check_for(precision)
    held = check.rule is not CheckRule.OFF
    return ToLower(precision, steps, held, check.min_cosine, check.min_agreement, base=base, typed=typed)
