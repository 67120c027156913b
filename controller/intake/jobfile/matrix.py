"""The matrix: from axes to variants, less what is excluded, plus what is included. Pure; knows no files.

`expand` runs once, when the job file is read; `with_own_batch` fills in what only the graph knows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from controller.core.keys import variant_key
from controller.core.tensorrt import RUNTIMES
from controller.intake.jobfile import dim_axes, schema, setting_axes
from controller.intake.jobfile.inputs import DimValues, RunSize
from controller.intake.jobfile.option_axes import OptionValues, check_axes, check_named, combinations, option_text
from controller.intake.jobfile.setting_axes import SettingValues, axes_of
from controller.intake.jobfile.yaml import Document, Steps
from controller.model.job import Precision
from jetfleet.errors import BadInput
from jetfleet.placement import CORES, CPU, DLA, GPU, Placement
from jetfleet.tensorrt import DLA_PRECISIONS

MAX_VARIANTS = 1000
OWN_BATCH = 0  # in place of a batch size that the graph decides
BUILD = "build"  # in the key of a variant whose engine is built once more: build_2
_MATRIX: Steps = ("variants",)
# The parts of which a runtime's placements are made; the simulated one takes any.
_PLACEMENTS = {"onnxruntime": (CPU, GPU), "tensorrt": (GPU, *CORES), "tensorrt_rtx": (GPU,)}


@dataclass(frozen=True)
class VariantPoint:
    """One variant before its files; `steps` lead to what asked for it. `batch` may be OWN_BATCH."""

    runtime: str
    precision: Precision
    batch: int
    placement: str
    steps: Steps
    options: OptionValues = ()  # those that are axes
    dims: DimValues = ()
    settings: SettingValues = ()  # of the board, those that are axes
    repeat: int = 0  # which of several builds of its engine

    @property
    def size(self) -> RunSize:
        return RunSize(self.batch, self.dims)

    @property
    def key(self) -> str:
        return variant_key(
            runtime=self.runtime,
            precision=self.precision,
            batch=self.batch,
            placement=self.placement,
            others={
                **dict(self.options),
                **{name: str(size) for name, size in self.dims},
                **dict(self.settings),
                **({BUILD: str(self.repeat + 1)} if self.repeat else {}),
            },
        )


def expand(variants: schema.VariantsSection, document: Document) -> tuple[VariantPoint, ...]:
    """Every variant, in the order of the axes; OWN_BATCH where no batch is asked. Raises BadInput."""
    setting_axes.check_axes(variants, document)
    batches = variants.batch if variants.batch is not None else [OWN_BATCH]
    combined = _combine(
        variants.runtime,
        variants.precision,
        batches,
        placements=variants.placement,
        options=variants.options,
        dims=variants.dims,
        settings=axes_of(variants),
        steps=_MATRIX,
    )
    found = [point for point in combined if not _is_excluded(point, variants)]
    for index, included in enumerate(variants.include):
        runtimes, precisions = _listed(included.runtime), _listed(included.precision)
        found += _combine(
            runtimes or variants.runtime,
            precisions or variants.precision,
            _listed(included.batch) or batches,
            placements=_listed(included.placement) or variants.placement,
            options={**variants.options, **{name: _listed(item) for name, item in included.options.items()}},
            dims={**variants.dims, **{name: _listed(item) for name, item in included.dims.items()}},
            settings={**axes_of(variants), **axes_of(included)},
            steps=("variants", "include", index),
        )
    _refuse_empty(found, document)
    found = [replace(point, repeat=repeat) for point in found for repeat in range(variants.repeat_builds)]
    _refuse_twice(found, document)
    runtimes = list(dict.fromkeys(point.runtime for point in found))
    check_axes(variants.options, runtimes, document)
    _check_named(variants, runtimes, document)
    for point in found:
        _refuse_impossible(point, document)
    if len(found) > MAX_VARIANTS:
        raise document.error(_MATRIX, f"{len(found)} variants", expected=f"at most {MAX_VARIANTS} in one job")
    return tuple(found)


def with_own_batch(
    points: Sequence[VariantPoint], variants: schema.VariantsSection, document: Document, *, own_batch: int
) -> tuple[VariantPoint, ...]:
    """The variants once the graph's batch size is known. Raises BadInput for what only that makes wrong."""
    known = [replace(point, batch=own_batch) if point.batch == OWN_BATCH else point for point in points]
    found = [point for point in known if point.steps != _MATRIX or not _is_excluded(point, variants)]
    _refuse_empty(found, document)
    _refuse_twice(found, document)
    return tuple(found)


def batch_places(variants: schema.VariantsSection) -> tuple[tuple[int, Steps], ...]:
    """Every batch size that the job file names, with its place: the matrix first, then `include`."""
    named: list[tuple[int, Steps]] = [
        (batch, ("variants", "batch", index)) for index, batch in enumerate(variants.batch or ())
    ]
    for index, included in enumerate(variants.include):
        named += [(batch, ("variants", "include", index, "batch")) for batch in _listed(included.batch)]
    return tuple(named)


def precision_places(
    variants: schema.VariantsSection, points: Iterable[VariantPoint]
) -> tuple[tuple[Precision, Steps], ...]:
    """Every precision that some variant has, each once, with the place that first names it."""
    named: list[tuple[Precision, Steps]] = [
        (Precision(item), ("variants", "precision", index)) for index, item in enumerate(variants.precision)
    ]
    for index, included in enumerate(variants.include):
        named += [
            (Precision(item), ("variants", "include", index, "precision")) for item in _listed(included.precision)
        ]
    left = {point.precision for point in points}
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
    options: Mapping[str, Sequence[Any]],
    dims: Mapping[str, Sequence[int]],
    settings: setting_axes.SettingAxes,
    steps: Steps,
) -> Iterator[VariantPoint]:
    for runtime, precision, batch in product(runtimes, precisions, batches):
        for placement in placements or [default_placement(runtime)]:
            more = (combinations(runtime, options), dim_axes.combinations(dims), setting_axes.combinations(settings))
            for chosen in product(*more):
                yield VariantPoint(runtime, Precision(precision), batch, placement, steps, *chosen)


def default_placement(runtime: str) -> str:
    return GPU if runtime in RUNTIMES else CPU


def _is_excluded(point: VariantPoint, variants: schema.VariantsSection) -> bool:
    return any(_covers(excluded, point) for excluded in variants.exclude)


def _covers(selector: schema.AxesSection, point: VariantPoint) -> bool:
    """Whether every axis that the selector names holds the point's value."""
    runtimes, precisions = _listed(selector.runtime), _listed(selector.precision)
    batches, placements = _listed(selector.batch), _listed(selector.placement)
    return (
        (not runtimes or point.runtime in runtimes)
        and (not precisions or point.precision.value in precisions)
        and (not batches or point.batch in batches)
        and (not placements or point.placement in placements)
        and _covers_named(selector, point)
    )


def _covers_named(selector: schema.AxesSection, point: VariantPoint) -> bool:
    """An option that a runtime does not have, or a dimension that is not an axis, holds no value."""
    options, dims = dict(point.options), dict(point.dims)
    texts = {name: [option_text(value) for value in _listed(values)] for name, values in selector.options.items()}
    has_options = all(options.get(name) in values for name, values in texts.items())
    has_options &= setting_axes.covers(selector, point.settings)
    return has_options and all(dims.get(name) in _listed(sizes) for name, sizes in selector.dims.items())


def _check_named(variants: schema.VariantsSection, runtimes: Sequence[str], document: Document) -> None:
    """Raises BadInput where exclude or include name an option, a dimension or a setting that is not an axis."""
    for kind, sections in (("exclude", variants.exclude), ("include", variants.include)):
        for index, section in enumerate(sections):
            steps: Steps = ("variants", kind, index)
            options = {name: _listed(values) for name, values in section.options.items()}
            check_named(options, variants.options, runtimes, document, (*steps, "options"))
            dim_axes.check_named(section.dims, variants.dims, document, (*steps, "dims"))
            setting_axes.check_named(section, variants, document, steps)


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _refuse_empty(found: Sequence[VariantPoint], document: Document) -> None:
    if not found:
        raise document.error(("variants", "exclude"), "nothing is left of the matrix", expected="at least one variant")


def _refuse_twice(found: Iterable[VariantPoint], document: Document) -> None:
    keys: set[str] = set()
    for point in found:
        if point.key in keys:
            raise document.error(point.steps, f"the variant {point.key} is asked for twice", expected="it once")
        keys.add(point.key)


def _refuse_impossible(point: VariantPoint, document: Document) -> None:
    possible = _PLACEMENTS.get(point.runtime)
    if possible is None:
        return
    if not set(Placement(point.placement).parts) <= set(possible):
        message = f"{point.runtime} on {point.placement} is not possible"
        raise _impossible(point, message, " or ".join(possible), document)
    _refuse_precision(point, document)


def _refuse_precision(point: VariantPoint, document: Document) -> None:
    kinds = Placement(point.placement).kinds
    if point.precision is Precision.TF32 and CPU in kinds:
        message = f"{point.runtime} has no tf32 on a CPU: it is a mode of NVIDIA's GPUs"
        raise _impossible(point, message, "fp32, fp16 or int8, or placement: [gpu]", document, axis="precision")
    if point.precision.value not in DLA_PRECISIONS and DLA in kinds:
        message = f"a DLA runs {' and '.join(DLA_PRECISIONS)}, not {point.precision.value}"
        raise _impossible(point, message, "fp16 or int8, or placement: [gpu]", document, axis="precision")


def _impossible(
    point: VariantPoint, message: str, expected: str, document: Document, *, axis: str = "placement"
) -> BadInput:
    values = {"runtime": point.runtime, "precision": point.precision.value, "placement": point.placement}
    named = ", ".join(f"{name}: {values[name]}" for name in dict.fromkeys(("runtime", axis, "placement")))
    hint = f"exclude: [{{{named}}}]"
    return document.error((*point.steps, axis), message, expected=expected, hint=hint)
