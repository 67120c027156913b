"""What the schema finds wrong in a job file, as errors with their places: all of it, and each cause once."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import ValidationError

from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.schema import JobFile
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Document, Steps
from jetfleet.errors import BadInput

# Pydantic's word for a mistake, as "expected" of ours.
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "some text",
    "string_too_long": "at most {max_length} characters",
}
_PATTERNS = {
    "name": "letters, digits, '.', '_' and '-', beginning with a letter or digit",
    "torch": "MODULE:CALLABLE, for example models:resnet50",
    **dict.fromkeys(("iou", "mean_ap", "score"), "FILE.py:FUNCTION"),
    "shape": "NAME=SIZE, like seq=128, of at least 2",
    "placement": "cpu, gpu, dla0, dla1, or several joined by +",
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
        if key in told or (item["type"] == "missing" and steps in misspelt):
            continue
        told[key] = None
        mistakes.add(_explain(document, steps, item, [other for place, other in found if place == steps]))


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
        word, expected = str(item["input"]), context.get("expected", "")
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
    expected = " or ".join(dict.fromkeys(_expected(item, steps) for item in errors))
    value = errors[0]["input"]
    hint = nearest(value, re.findall("'([^']*)'", expected)) if isinstance(value, str) else ""
    if expected == "a list" and not isinstance(value, dict | None):
        hint = f"write [{_shown(value)}]"
    return document.error(steps, f"{_shown(value)} is not allowed here", expected=expected, hint=hint)


def _expected(item: Mapping[str, Any], steps: Steps) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        named = next((_PATTERNS[str(step)] for step in reversed(steps) if step in _PATTERNS), None)
        return named or f"text like {context['pattern']}"
    return _EXPECTED[kind].format(**context) if kind in _EXPECTED else str(item["msg"])


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
