"""Optimisation profiles: the ranges of shapes that job.yaml gives an engine, held against the model and the variants.

Pure. What is wrong in itself is told before the model is looked at; what the model has to say, as soon as it was.
"""

from collections.abc import Mapping, Sequence

from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.matrix import VariantPoint
from controller.intake.jobfile.options import Options, Range
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Document, Steps, quoted
from controller.model.job import ShapeRange
from jetfleet.placement import DLA, Placement

_ENDS = ("min", "opt", "max")
Profile = Mapping[str, Range]


def check_order(options: Options, points: Sequence[VariantPoint], document: Document) -> None:
    """Raises BadInput for a range whose ends are not in order, and for one that is asked of a DLA."""
    for runtime in dict.fromkeys(point.runtime for point in points):
        on_dla = any(DLA in Placement(point.placement).kinds for point in points if point.runtime == runtime)
        for name, item in options.profile(runtime).items():
            steps: Steps = ("options", runtime, "profile", name)
            _check_range(name, item, steps, document)
            if on_dla and item.min != item.max:
                raise document.error(
                    steps,
                    f"a DLA takes static shapes only, and input {name!r} has a range",
                    expected="no profile, or min, opt and max that are the same",
                    hint="give the variants on a DLA a job of their own",
                )


def ranges(
    options: Options, points: Sequence[VariantPoint], inputs: Sequence[Input], document: Document
) -> dict[str, dict[str, ShapeRange]]:
    """The range of each input by runtime. Raises BadInput where the model or a variant does not fit it."""
    found: dict[str, dict[str, ShapeRange]] = {}
    for runtime in dict.fromkeys(point.runtime for point in points):
        profile, steps = options.profile(runtime), ("options", runtime, "profile")
        _check_names(profile, inputs, steps, document)
        used = [item for item in inputs if item.name in profile]
        for item in used:
            _check_fixed(item, profile[item.name], (*steps, item.name), document)
        _check_batch(profile, inputs, steps, document)
        for point in (point for point in points if point.runtime == runtime):
            for item in used:
                _check_inside(item, profile[item.name], point, (*steps, item.name), document)
        found[runtime] = {name: _shape_range(item) for name, item in profile.items()}
    return found


def _shape_range(item: Range) -> ShapeRange:
    return ShapeRange(tuple(item.min), tuple(item.opt), tuple(item.max))


def _check_range(name: str, item: Range, steps: Steps, document: Document) -> None:
    for end in _ENDS:
        if len(getattr(item, end)) != len(item.opt):
            message = f"{end} of input {name!r} has {len(getattr(item, end))} dimensions, and opt has {len(item.opt)}"
            raise document.error((*steps, end), message, expected="min, opt and max with as many dimensions")
    for index, (low, opt, high) in enumerate(zip(item.min, item.opt, item.max, strict=True)):
        if not low <= opt <= high:
            message = f"dimension {index} of input {name!r} goes from {low} over {opt} to {high}"
            end = "opt" if low <= high else "max"
            raise document.error((*steps, end, index), message, expected="min <= opt <= max in every dimension")


def _check_names(profile: Profile, inputs: Sequence[Input], steps: Steps, document: Document) -> None:
    names = [item.name for item in inputs]
    for name in profile:
        if name not in names:
            message, hint = f"the model has no input {name!r}", nearest(name, names)
            raise document.error((*steps, name), message, expected=", ".join(names), hint=hint, key=True)


def _check_fixed(item: Input, limits: Range, steps: Steps, document: Document) -> None:
    """A dimension has a range only where the graph leaves it open."""
    if len(limits.opt) != len(item.dims):
        message = f"input {item.name!r} has {len(item.dims)} dimensions, not {len(limits.opt)}"
        raise document.error((*steps, "min"), message, expected=f"a shape like {_listed(item.shape(1))}")
    for index, dim in enumerate(item.dims):
        for end in _ENDS:
            size = getattr(limits, end)[index]
            if index not in item.open and size != dim:
                raise document.error(
                    (*steps, end, index),
                    f"dimension {index} of input {item.name!r} is fixed at {dim} in the graph, and {end} says {size}",
                    expected=str(dim),
                    hint="only a dimension that the graph leaves open can have a range: export it open",
                )


def _check_batch(profile: Profile, inputs: Sequence[Input], steps: Steps, document: Document) -> None:
    """The batch is one number: every input that has it ranges over the same."""
    first: tuple[str, list[int]] | None = None
    for item in (item for item in inputs if item.name in profile and "batch" in item.dims):
        index = item.dims.index("batch")
        sizes = [getattr(profile[item.name], end)[index] for end in _ENDS]
        first = first or (item.name, sizes)
        if sizes != first[1]:
            message = f"the batch of input {item.name!r} is {_span(sizes)}, and of {first[0]!r} {_span(first[1])}"
            raise document.error((*steps, item.name), message, expected="the same batch sizes for all inputs")
    if first is not None and first[1][0] != first[1][2]:
        _check_batch_everywhere(profile, inputs, first[1], steps, document)


def _check_batch_everywhere(
    profile: Profile, inputs: Sequence[Input], batches: Sequence[int], steps: Steps, document: Document
) -> None:
    for item in inputs:
        if "batch" in item.dims and item.name not in profile:
            ends = ", ".join(f"{end}: {_listed(item.shape(size))}" for end, size in zip(_ENDS, batches, strict=True))
            raise document.error(
                steps,
                f"the batch has a range, and input {item.name!r}, which has it too, has none",
                expected="a range for every input that has the batch",
                hint=f"below `profile:` add\n      {quoted(item.name)}: {{{ends}}}",
            )


def _check_inside(item: Input, limits: Range, point: VariantPoint, steps: Steps, document: Document) -> None:
    shape = item.sized(point.dims).shape(point.batch)
    for index, (low, size, high) in enumerate(zip(limits.min, shape, limits.max, strict=True)):
        if low <= size <= high:
            continue
        end = "min" if size < low else "max"
        right = [*getattr(limits, end)]
        right[index] = size
        called = " (the batch)" if item.dims[index] == "batch" else ""
        raise document.error(
            (*steps, end, index),
            f"shape outside the profile: dimension {index}{called} of input {item.name!r} is {size} in {point.key}",
            expected=f"{low} to {high}, as the profile says",
            hint=f"write {end}: {_listed(right)}",
        )


def _span(sizes: Sequence[int]) -> str:
    return f"{sizes[0]} to {sizes[2]}, at best {sizes[1]}"


def _listed(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape))}]"
