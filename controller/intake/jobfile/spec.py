"""Reads job.yaml: text to a JobFile, its targets and its variants; what is wrong becomes one error with its place."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controller.intake.jobfile import check, matrix, profiles
from controller.intake.jobfile.model_error import calibration_missing
from controller.intake.jobfile.schema import JobFile, json_schema
from controller.intake.jobfile.selectors import targets_of
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.unused_options import refuse_unused
from controller.intake.jobfile.yaml import Document, Steps, parse, read
from controller.model.job import Limits, Measure, OutputCheck, Precision, Target
from jetfleet.errors import BadInput

__all__ = ["LoadedJob", "json_schema", "load_document", "load_spec", "load_text"]

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
    "shape": "NAME=SIZE, like seq=128, of at least 2",
    "placement": "cpu, gpu, dla0, dla1, or several joined by +",
}
# A misspelt key also makes a missing one: report the cause.
_FIRST = ("unknown_key", "job", "missing")


@dataclass(frozen=True)
class LoadedJob:
    """A job file that is right in itself; its model was not looked at yet."""

    path: Path
    document: Document
    job: JobFile
    targets: tuple[Target, ...]
    points: tuple[matrix.VariantPoint, ...]

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def measure(self) -> Measure:
        section = self.job.measure
        longest = section.max_seconds if section.max_seconds is not None else max(Measure.max_s, section.seconds)
        return Measure(warmup_s=section.warmup_s, min_s=section.seconds, max_s=longest)

    @property
    def limits(self) -> Limits:
        section = self.job.limits
        return Limits(build_s=section.build_s, bench_s=section.bench_s, deadline_s=section.deadline_s)

    def check_for(self, precision: Precision) -> OutputCheck:
        """The rule that a variant's outputs are held to."""
        return check.check_for(self.job.check, precision)


def load_spec(path: Path) -> LoadedJob:
    """Checks a job file without touching its model: fast. Raises BadInput."""
    return load_document(path, read(path))


def load_text(text: str, path: Path) -> LoadedJob:
    """The same for text that is not on disk; `path` is where it would be."""
    return load_document(path, parse(text, str(path)))


def load_document(path: Path, document: Document) -> LoadedJob:
    """The same for a document; `path` is where its file is or would be: paths in it start at that folder."""
    try:
        job = JobFile.model_validate(document.root.plain())
    except ValidationError as error:
        raise _explain(document, error) from error
    points = matrix.expand(job.variants, document)
    loaded = LoadedJob(path, document, job, targets_of(job.targets, document), points)
    refuse_unused(job.options, points, document)
    profiles.check_order(job.options, points, document)
    _refuse_missing_calibration(loaded)
    if loaded.measure.warmup_s + loaded.measure.max_s > loaded.limits.bench_s:
        raise document.error(
            ("measure",) if job.measure.model_fields_set else ("limits",),
            f"warm-up and timed window may take {loaded.measure.warmup_s + loaded.measure.max_s:g} s",
            expected=f"less than limits.bench_s, {loaded.limits.bench_s} s",
        )
    return loaded


def _refuse_missing_calibration(loaded: LoadedJob) -> None:
    """An ONNX file may be quantised already, which only reading it tells: the model child asks for its data."""
    model = loaded.job.model
    places = dict(matrix.precision_places(loaded.job.variants, loaded.points))
    if Precision.INT8 in places and model.onnx is None and not model.data.calibration:
        error = calibration_missing(places[Precision.INT8], evaluation=bool(model.data.evaluation))
        raise loaded.document.error(error.steps, error.message, expected=error.expected, hint=error.hint)


def _explain(document: Document, error: ValidationError) -> BadInput:
    """The first mistake, by cause and then by place; what it may be instead comes from every branch of a union."""
    found = [(_steps(document, item["loc"]), item) for item in error.errors(include_url=False)]
    rank = {kind: index for index, kind in enumerate(_FIRST)}
    steps, first = min(found, key=lambda pair: rank.get(pair[1]["type"], len(rank)))
    context: Mapping[str, Any] = first.get("ctx", {})
    if first["type"] == "unknown_key":
        return _unknown_key(document, steps, context)
    if first["type"] == "job":
        return document.error(steps, context["message"], expected=context["expected"], hint=context["hint"])
    name = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "missing":
        return document.error(steps, f"{name!r} is missing", expected=f"{name}: ...")
    if name == "[key]":
        word, expected = str(first["input"]), context.get("expected", "")
        hint = nearest(word, re.findall("'([^']*)'", expected))
        return document.error(steps, f"unknown key {word!r}", expected=expected, hint=hint, key=True)
    return _wrong_value(document, steps, [item for place, item in found if place == steps])


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
