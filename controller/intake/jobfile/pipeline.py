"""The `pipeline:` of job.yaml: what is done to image files before the engine and to its answers, as declared steps.

Which steps there are, and what they take, is jetfleet/pipeline/steps.py's; here they are read, with their places.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import Field, WithJsonSchema

from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.strict import Strict
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Document, Steps
from jetfleet.pipeline.callables import is_reference
from jetfleet.pipeline.steps import (
    CALLABLE,
    POST,
    PRE,
    Parameter,
    Pipeline,
    PipelineStep,
    StepArgument,
    StepSpec,
)

_FRACTION = re.compile(r" *([-+]?[0-9.]+) */ *([0-9.]+) *")
_FORM = "a name, or one name with what it takes: {crop: [224, 224]}"


def _schema(specs: Mapping[str, StepSpec], *, least: int = 0) -> dict[str, Any]:
    """JSON Schema of a list of steps, for editors."""
    alone = {"enum": [name for name, spec in specs.items() if _takes_nothing(spec)]}
    mapping = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {name: {"description": spec.meaning} for name, spec in specs.items()},
    }
    return {"type": "array", "minItems": least, "maxItems": _MOST, "items": {"anyOf": [alone, mapping]}}


def _takes_nothing(spec: StepSpec) -> bool:
    return all(item.default is not None for item in spec.parameters)


_MOST = 32
_Written: TypeAlias = str | dict[str, Any]
_PreSteps: TypeAlias = Annotated[
    list[_Written], Field(min_length=1, max_length=_MOST), WithJsonSchema(_schema(PRE, least=1))
]
_PostSteps: TypeAlias = Annotated[list[_Written], Field(max_length=_MOST), WithJsonSchema(_schema(POST))]


class PipelineSection(Strict):
    """Image files through declared steps to the engine, and its outputs to an answer; all of it is timed."""

    input: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1, max_length=256)] = Field(
        description="an image file, a list of them, or a folder: its .jpg, .jpeg and .png files in order; taken in turn"
    )
    tensor: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="the input of the model that frames become; default: its only one"
    )
    pre: _PreSteps
    post: _PostSteps = Field(default=[], validate_default=True)


def read_pipeline(section: PipelineSection, document: Document, mistakes: Mistakes) -> Pipeline:
    """The steps that are right; what is wrong with the others joins `mistakes`."""
    sides = {
        side: tuple(_read_all(getattr(section, side), specs, ("pipeline", side), document, mistakes))
        for side, specs in (("pre", PRE), ("post", POST))
    }
    return Pipeline(section.tensor or "", sides["pre"], sides["post"])


def _read_all(
    written: Sequence[_Written],
    specs: Mapping[str, StepSpec],
    place: Steps,
    document: Document,
    mistakes: Mistakes,
) -> list[PipelineStep]:
    found = []
    for index, item in enumerate(written):
        with mistakes:
            found.append(_read(item, specs, (*place, index), document, mistakes))
    return found


def _read(
    item: _Written, specs: Mapping[str, StepSpec], place: Steps, document: Document, mistakes: Mistakes
) -> PipelineStep:
    """Raises BadInput where the step is not known at all; mistakes in what it takes join the others."""
    if isinstance(item, dict) and len(item) != 1:
        raise document.error(place, f"a step of {len(item)} names", expected=_FORM)
    name, value = (item, None) if isinstance(item, str) else next(iter(item.items()))
    if name not in specs:
        raise document.error(place, f"there is no step {name!r}", expected=", ".join(specs), hint=nearest(name, specs))
    given = _Given(name, place if isinstance(item, str) else (*place, name), value, specs[name].main)
    for key in given.values:
        if key not in specs[name].names:
            known, hint = ", ".join(specs[name].names), nearest(str(key), specs[name].names)
            mistakes.add(
                document.error(given.place(key), f"{name} has no {key!r}", expected=known, hint=hint, key=True)
            )
    found = []
    for parameter in specs[name].parameters:
        with mistakes:
            found.append(_argument(parameter, given, document))
    return PipelineStep(name, tuple(item for item in found if item is not None))


class _Given:
    """What is said of a step: a mapping, or the value of its main parameter."""

    def __init__(self, step: str, steps: Steps, value: Any, main: str) -> None:
        self.step, self._steps = step, steps
        self._is_mapping = isinstance(value, dict)
        alone = {main: value} if main and value is not None else {}
        self.values: Mapping[str, Any] = value if isinstance(value, dict) else alone

    def place(self, key: str) -> Steps:
        return (*self._steps, key) if self._is_mapping else self._steps


def _argument(parameter: Parameter, given: _Given, document: Document) -> StepArgument | None:
    """None where nothing is said and nothing must be. Raises BadInput."""
    place = given.place(parameter.name)
    if parameter.name not in given.values:
        if parameter.default is not None:
            return None
        expected = f"{parameter.name}: {parameter.meaning or parameter.expected}"
        raise document.error(place, f"{given.step} needs {parameter.name}", expected=expected)
    written = given.values[parameter.name]
    value = _converted(written, parameter)
    fault = _fault(value, parameter, given.step)
    if value is None or fault:
        said = f"{given.step}: {parameter.name} {_shown(written)} {fault}"
        raise document.error(place, said, expected=parameter.expected)
    return StepArgument(parameter.name, text=value) if isinstance(value, str) else StepArgument(parameter.name, value)


def _fault(value: tuple[float, ...] | str | None, parameter: Parameter, step: str) -> str:
    if value is None:
        return "is of the wrong kind"
    if step == CALLABLE and isinstance(value, str) and not is_reference(value):
        return "does not name a function"
    return parameter.fault(value)


def _converted(value: Any, parameter: Parameter) -> tuple[float, ...] | str | None:
    """Numbers, fractions such as 1/255 among them, or a text; None for what is neither."""
    if isinstance(value, str) and parameter.takes_text:
        return value
    numbers = [_number(item) for item in (value if isinstance(value, list) else [value])]
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(numbers) and numbers else None


def _number(value: Any) -> float | None:
    if isinstance(value, str) and (match := _FRACTION.fullmatch(value)):
        try:
            return float(match[1]) / float(match[2])
        except (ValueError, ZeroDivisionError):
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _shown(value: Any) -> str:
    return repr(value)[:60] if not isinstance(value, dict) else "a mapping"
