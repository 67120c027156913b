"""Named dimensions as axes of the matrix: `variants: {dims: {seq: [64, 128]}}`. Pure.

An axis belongs to a name that model.inputs writes as NAME=SIZE; every input that has the dimension takes its size.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from controller.intake.jobfile.inputs import DimValues, input_request
from controller.intake.jobfile.schema import ModelSection, VariantsSection
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Document, Steps
from jetfleet.errors import BadInput

AT: Steps = ("variants", "dims")


def combinations(axes: Mapping[str, Sequence[int]]) -> Iterator[DimValues]:
    """Every combination of sizes; one that is empty where there are no axes."""
    names = sorted(axes)
    for sizes in product(*(axes[name] for name in names)):
        yield tuple(zip(names, sizes, strict=True))


def check_axes(variants: VariantsSection, model: ModelSection, document: Document) -> None:
    """Raises BadInput for an axis that names no dimension of the model, and where data has one size only."""
    requests = [input_request(section) for section in model.inputs.values()]
    known = sorted({name for item in requests for _, name in item.axes})
    for name in variants.dims:
        if name not in known:
            raise _unknown(name, known, document)
        if name in variants.options:
            message = f"{name} is an axis of both options and dims, and their values would not be told apart"
            raise document.error((*AT, name), message, expected="another name for the dimension in model.inputs")
    if variants.dims and (model.data.evaluation or model.data.calibration):
        kind = "evaluation" if model.data.evaluation else "calibration"
        raise document.error(
            ("model", "data", kind),
            f"{kind} data has one size for each dimension, and variants.dims asks for several",
            expected="dims without data, or data without dims",
            hint="give each size a job of its own, with data of that size",
        )


def check_named(named: Iterable[str], axes: Mapping[str, Sequence[int]], document: Document, steps: Steps) -> None:
    """Raises BadInput for what is not an axis."""
    for name in named:
        if name not in axes:
            message = f"the dimension {name!r} is not an axis of this job"
            raise document.error((*steps, name), message, expected=", ".join(axes) or "a dimension of variants.dims")


def _unknown(name: str, known: Sequence[str], document: Document) -> BadInput:
    return document.error(
        (*AT, name),
        f"no input of the model has a dimension {name!r}",
        expected=", ".join(known) or f"a dimension written as {name}=SIZE in the shape of an input",
        hint=nearest(name, known),
    )
