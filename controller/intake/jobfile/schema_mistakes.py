"""What the schema finds wrong in a job file, as errors with their places: all of it, and each cause once."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import ValidationError

from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.schema import JobFile
from controller.intake.jobfile.schema_words import expected_at, expected_key
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Document, Steps
from jetfleet.errors import BadInput

# Of a value that is of another kind than the place takes: what a mapping or a list holds is looked into beside it.
_OTHER_KIND = frozenset(f"{kind}_type" for kind in ("int", "float", "string", "bool", "list", "dict", "model")) | {
    "literal_error"
}
# A misspelt key also makes a missing one: report the cause.
_FIRST = ("unknown_key", "job", "missing")


# In place of a section that is wrong, so that the others can be looked at all the same.
_STAND_INS: Mapping[str, object] = {"apiVersion": "jetfleet/v1", "name": "unnamed", "model": {"onnx": "unknown.onnx"}}

_MOST_LOOKS = 200

Found: TypeAlias = "tuple[Steps, Mapping[str, Any]]"


def read_job(document: Document, mistakes: Mistakes) -> tuple[JobFile, set[str]]:
    """The job, and the names of its sections that are wrong: those are as by default. Mistakes join `mistakes`.

    A mapping with an unknown key is not looked into by the schema, so each such key is taken away and looked again.
    """
    data, found = document.root.plain(), list[Found]()
    for _ in range(_MOST_LOOKS):
        try:
            job = JobFile.model_validate(data)
        except ValidationError as error:
            now = [(_steps(document, item["loc"]), item) for item in error.errors(include_url=False)]
        else:
            _tell(document, found, mistakes)
            return job, {_section(steps, item) for steps, item in found}
        unknown = [(steps, item) for steps, item in now if item["type"] == "unknown_key"]
        found += unknown or now
        if not isinstance(data, dict):
            break
        data = _repaired(data, unknown, now)
    _tell(document, found, mistakes)
    mistakes.refuse()
    raise AssertionError("a job that the schema refuses has a mistake")


def _repaired(data: dict[str, Any], unknown: Sequence[Found], now: Sequence[Found]) -> dict[str, Any]:
    for steps, item in unknown:
        _parent(data, steps).pop(str(item["ctx"]["key"]), None)
    return data if unknown else _without(data, {_section(steps, item) for steps, item in now})


def _section(steps: Steps, item: Mapping[str, Any]) -> str:
    return str(steps[0] if steps else item["loc"][0] if item["loc"] else "")


def _parent(data: dict[str, Any], steps: Steps) -> dict[str, Any]:
    here: Any = data
    for step in steps:
        here = here[step]
    return here if isinstance(here, dict) else {}


def _without(data: dict[str, Any], sections: set[str]) -> dict[str, Any]:
    kept = {key: value for key, value in data.items() if key not in sections}
    return {**kept, **{key: value for key, value in _STAND_INS.items() if key in sections}}


def _tell(document: Document, found: Sequence[Found], mistakes: Mistakes) -> None:
    """By cause and then by place; a key that is missing where one is misspelt is not told beside it."""
    rank = {kind: index for index, kind in enumerate(_FIRST)}
    misspelt = {steps for steps, item in found if item["type"] == "unknown_key"}
    told: dict[tuple[Steps, str], None] = {}
    for steps, item in sorted(found, key=lambda pair: rank.get(pair[1]["type"], len(rank))):
        name = str(item["loc"][-1]) if item["loc"] and item["type"] in ("missing", "unknown_key") else ""
        key = (steps, name or str(item.get("ctx", {}).get("key", "")))
        if key in told or _is_beside_the_cause(steps, item, found, misspelt):
            continue
        told[key] = None
        mistakes.add(_explain(document, steps, item, [other for place, other in found if place == steps]))


def _is_beside_the_cause(
    steps: Steps, item: Mapping[str, Any], found: Sequence[Found], misspelt: Collection[Steps]
) -> bool:
    """What one misspelt key, or a value inside, makes the schema say too: of the other kinds that may stand there."""
    if item["type"] == "missing":
        return steps in misspelt
    if item["type"] in {*_OTHER_KIND, "job"} and steps in misspelt:
        return True
    inside = (other for other, _ in found if len(other) > len(steps))
    return item["type"] in _OTHER_KIND and any(other[: len(steps)] == steps for other in inside)


def _explain(document: Document, steps: Steps, item: Mapping[str, Any], here: Sequence[Any]) -> BadInput:
    """What a value may be instead comes from every branch of a union: `here` is all that was found at the place."""
    context: Mapping[str, Any] = item.get("ctx", {})
    if item["type"] == "unknown_key":
        return _unknown_key(document, steps, context)
    if item["type"] == "job":
        return document.error(steps, context["message"], expected=context["expected"], hint=context["hint"])
    name = str(item["loc"][-1]) if item["loc"] else ""
    if item["type"] == "missing":
        return document.error(steps, f"{name!r} is missing", expected=f"{name}: ...")
    if name == "[key]":
        word, expected = str(item["input"]), context.get("expected", "") or expected_key(steps[:-1])
        hint = nearest(word, re.findall("'([^']*)'", expected))
        return document.error(steps, f"unknown key {word!r}", expected=expected, hint=hint, key=True)
    return _wrong_value(document, steps, here)


def _unknown_key(document: Document, steps: Steps, context: Mapping[str, Any]) -> BadInput:
    key, known = str(context["key"]), list(context["known"])
    if context["later"]:
        return document.error((*steps, key), f"{key!r} is not supported yet", expected=context["later"], key=True)
    hint = nearest(key, known)
    return document.error((*steps, key), f"unknown key {key!r}", expected=", ".join(known), hint=hint, key=True)


def _wrong_value(document: Document, steps: Steps, errors: Sequence[Any]) -> BadInput:
    value, kinds = errors[0]["input"], {item["type"] for item in errors}
    expected = expected_at(steps) or " or ".join(dict.fromkeys(str(item["msg"]) for item in errors))
    if "finite_number" in kinds:
        expected = "a finite number"
    hint = nearest(value, re.findall("'([^']*)'", expected)) if isinstance(value, str) else ""
    if kinds == {"list_type"} and not isinstance(value, dict | None):
        hint = f"write [{_shown(value)}]"
    return document.error(steps, f"{_shown(value)} is not allowed here", expected=expected, hint=hint)


def _steps(document: Document, loc: Sequence[str | int]) -> Steps:
    """Pydantic's path less the steps that are not in the document: names of union branches, and `[key]`."""
    node = document.root
    found: list[str | int] = []
    for step in loc:
        child = node.child(step)
        if child is not None:
            node = child
            found.append(step)
    return tuple(found)


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)[:80]
