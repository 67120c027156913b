"""Options as axes of the matrix: `variants: {options: {threads: [1, 2]}}`. Pure.

An axis belongs to the runtimes that have an option of its name; variants of the others do not multiply by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

from pydantic import ValidationError

from controller.intake.jobfile.options import MODELS
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Document, Steps
from jetfleet.errors import BadInput
from jetfleet.options import options_of

# Names and values, by name.
OptionValues: TypeAlias = tuple[tuple[str, str], ...]
_AT: Steps = ("variants", "options")


def combinations(runtime: str, axes: Mapping[str, Sequence[Any]]) -> Iterator[OptionValues]:
    """Every combination of the axes that this runtime has; one that is empty where it has none of them."""
    names = sorted(name for name in axes if name in _names(runtime))
    for values in product(*(axes[name] for name in names)):
        yield tuple((name, option_text(value)) for name, value in zip(names, values, strict=True))


def check_axes(axes: Mapping[str, Sequence[Any]], runtimes: Sequence[str], document: Document) -> None:
    """Raises BadInput for an axis that no runtime of the job has, and for a value that one of them does not take."""
    for name, values in axes.items():
        having = [runtime for runtime in runtimes if name in _names(runtime)]
        if not having:
            raise _unknown(name, runtimes, document)
        for (index, value), runtime in product(enumerate(values), having):
            _check(runtime, name, value, document, (*_AT, name, index))


def check_named(
    named: Mapping[str, Sequence[Any]],
    axes: Mapping[str, Sequence[Any]],
    runtimes: Sequence[str],
    document: Document,
    steps: Steps,
) -> None:
    """Raises BadInput for what is not an axis, and for a value that a runtime with this option does not take."""
    for name, values in named.items():
        if name not in axes:
            message = f"the option {name!r} is not an axis of this job"
            raise document.error((*steps, name), message, expected=", ".join(axes) or "an option of variants.options")
        for value, runtime in product(values, runtimes):
            if name in _names(runtime):
                _check(runtime, name, value, document, (*steps, name))


def _unknown(name: str, runtimes: Sequence[str], document: Document) -> BadInput:
    known = sorted({item for runtime in runtimes for item in _names(runtime)})
    return document.error(
        (*_AT, name),
        f"no runtime of this job has an option {name!r}",
        expected=", ".join(known),
        hint=nearest(name, known),
    )


def changed(runtime: str, options: Mapping[str, str], values: OptionValues) -> dict[str, str]:
    """A runtime's options with those of a variant: what is as by default is left out, as everywhere."""
    said = {**options, **dict(values)}
    defaults = {item.name: str(item.default) for item in options_of(runtime) if item.default is not None}
    return {name: value for name, value in said.items() if defaults.get(name) != value}


def _names(runtime: str) -> set[str]:
    return {item.name for item in options_of(runtime)}


def _check(runtime: str, name: str, value: Any, document: Document, steps: Steps) -> None:
    try:
        MODELS[runtime].model_validate({name: value})
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        message = f"{value!r} is not a valid value of {name} of {runtime}: {said}"
        raise document.error(steps, message, expected=f"what options.{runtime}.{name} takes") from error


def option_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
