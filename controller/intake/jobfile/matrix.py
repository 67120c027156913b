"""The matrix: from axes to points, less what is excluded, plus what is included. Pure; knows no files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from controller.core.keys import variant_key
from controller.core.tensorrt import RUNTIMES
from controller.intake.jobfile import schema
from controller.intake.jobfile.yaml import Document, Steps
from controller.model.job import Precision
from jetfleet.errors import BadInput
from jetfleet.placement import CORES, CPU, DLA, GPU, Placement

MAX_VARIANTS = 1000
# The parts of which a runtime's placements are made; the simulated one takes any.
_PLACEMENTS = {"onnxruntime": (CPU, GPU), "tensorrt": (GPU, *CORES), "tensorrt_rtx": (GPU,)}
_ON_DLA = (Precision.FP16, Precision.INT8)


@dataclass(frozen=True)
class Point:
    """One variant before its files; `steps` lead to what asked for it."""

    runtime: str
    precision: Precision
    batch: int
    placement: str
    steps: Steps

    @property
    def key(self) -> str:
        return variant_key(runtime=self.runtime, precision=self.precision, batch=self.batch, placement=self.placement)


def points(variants: schema.Variants, document: Document, *, own_batch: int) -> tuple[Point, ...]:
    """Every variant, in the order of the axes; `own_batch` where no batch is asked. Raises BadInput."""
    batches = variants.batch if variants.batch is not None else [own_batch]
    steps: Steps = ("variants",)
    found = [
        point
        for point in _combine(variants.runtime, variants.precision, batches, placements=variants.placement, steps=steps)
        if not any(_covers(excluded, point) for excluded in variants.exclude)
    ]
    for index, included in enumerate(variants.include):
        runtimes, precisions = _listed(included.runtime), _listed(included.precision)
        found += _combine(
            runtimes or variants.runtime,
            precisions or variants.precision,
            _listed(included.batch) or batches,
            placements=_listed(included.placement) or variants.placement,
            steps=("variants", "include", index),
        )
    if not found:
        raise document.error(("variants", "exclude"), "nothing is left of the matrix", expected="at least one variant")
    _refuse_impossible(found, document)
    return tuple(found)


def batches_named(variants: schema.Variants) -> tuple[tuple[int, Steps], ...]:
    """Every batch size that the job file names, with its place: the matrix first, then `include`."""
    named: list[tuple[int, Steps]] = [
        (batch, ("variants", "batch", index)) for index, batch in enumerate(variants.batch or ())
    ]
    for index, included in enumerate(variants.include):
        named += [(batch, ("variants", "include", index, "batch")) for batch in _listed(included.batch)]
    return tuple(named)


def precisions_named(variants: schema.Variants, document: Document) -> tuple[tuple[Precision, Steps], ...]:
    """Every precision that some variant has, each once, with the place that first names it."""
    named: list[tuple[Precision, Steps]] = [
        (Precision(item), ("variants", "precision", index)) for index, item in enumerate(variants.precision)
    ]
    for index, included in enumerate(variants.include):
        named += [
            (Precision(item), ("variants", "include", index, "precision")) for item in _listed(included.precision)
        ]
    # Where the graph decides on the batch, what is excluded by batch is not known yet.
    left = {point.precision for point in points(variants, document, own_batch=1)} if variants.batch else set(Precision)
    first: dict[Precision, Steps] = {}
    for precision, steps in named:
        first.setdefault(precision, steps)
    return tuple(item for item in first.items() if item[0] in left)


def _combine(
    runtimes: Sequence[str],
    precisions: Sequence[str],
    batches: Sequence[int],
    *,
    placements: Sequence[str] | None,
    steps: Steps,
) -> Iterator[Point]:
    for runtime, precision, batch in product(runtimes, precisions, batches):
        for placement in placements or [default_placement(runtime)]:
            yield Point(runtime, Precision(precision), batch, placement, steps)


def default_placement(runtime: str) -> str:
    return GPU if runtime in RUNTIMES else CPU


def _covers(selector: schema.Point, point: Point) -> bool:
    """Whether every axis that the selector names holds the point's value."""
    runtimes, precisions = _listed(selector.runtime), _listed(selector.precision)
    batches, placements = _listed(selector.batch), _listed(selector.placement)
    return (
        (not runtimes or point.runtime in runtimes)
        and (not precisions or point.precision.value in precisions)
        and (not batches or point.batch in batches)
        and (not placements or point.placement in placements)
    )


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _refuse_impossible(found: Iterable[Point], document: Document) -> None:
    seen: dict[str, Point] = {}
    for point in found:
        if point.key in seen:
            raise document.error(point.steps, f"the variant {point.key} is asked for twice", expected="it once")
        seen[point.key] = point
        possible = _PLACEMENTS.get(point.runtime)
        if possible is None:
            continue
        if not set(Placement(point.placement).parts) <= set(possible):
            message = f"{point.runtime} on {point.placement} is not possible"
            raise _misplaced(point, message, " or ".join(possible), document)
        _refuse_precision(point, document)
    if len(seen) > MAX_VARIANTS:
        raise document.error(("variants",), f"{len(seen)} variants", expected=f"at most {MAX_VARIANTS} in one job")


def _refuse_precision(point: Point, document: Document) -> None:
    kinds = Placement(point.placement).kinds
    if point.precision is Precision.TF32 and CPU in kinds:
        message = f"{point.runtime} has no tf32 on a CPU: it is a mode of NVIDIA's GPUs"
        raise _misplaced(point, message, "fp32, fp16 or int8, or placement: [gpu]", document, axis="precision")
    if point.precision not in _ON_DLA and DLA in kinds:
        message = f"a DLA runs fp16 and int8, not {point.precision.value}"
        raise _misplaced(point, message, "fp16 or int8, or placement: [gpu]", document, axis="precision")


def _misplaced(point: Point, message: str, expected: str, document: Document, *, axis: str = "placement") -> BadInput:
    values = {"runtime": point.runtime, "precision": point.precision.value, "placement": point.placement}
    named = ", ".join(f"{name}: {values[name]}" for name in dict.fromkeys(("runtime", axis, "placement")))
    hint = f"exclude: [{{{named}}}]"
    return document.error((*point.steps, axis), message, expected=expected, hint=hint)
