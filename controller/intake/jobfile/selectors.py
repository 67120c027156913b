"""Targets of job.yaml to conditions on facts: every key must be a fact, every value must suit its type."""

import re
from collections.abc import Mapping, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from controller.intake.jobfile import schema
from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Document, Steps
from controller.model.facts import DEVICE_NAME, FACT_TYPES, FAMILIES, FactType, fact_type
from controller.model.job import Condition, Op, Quantifier, Target

# What YAML makes of a value that suits a fact; of all other types, text and whole numbers do.
_SUITS: Mapping[FactType, tuple[type, ...]] = {FactType.FLAG: (bool,), FactType.NUMBER: (int,)}
_OPERATOR = re.compile(r"\s*(>=|<=|==|!=|~=|<|>)")


def targets_of(targets: Sequence[schema.TargetSection], document: Document) -> tuple[Target, ...]:
    """Raises BadInput with the place of every condition that cannot be."""
    found, mistakes = [], Mistakes()
    for index, target in enumerate(targets):
        quantifier = Quantifier.ANY if target.every is None else Quantifier.EVERY
        steps: Steps = ("targets", index, quantifier.value)
        selector = (target.any if target.every is None else target.every) or {}
        conditions = []
        for key, value in selector.items():
            with mistakes:
                conditions.append(condition(key, value, document=document, steps=(*steps, key)))
        found.append(Target(quantifier, tuple(conditions)))
    mistakes.refuse()
    return tuple(found)


def condition(fact: str, value: object, *, document: Document, steps: Steps) -> Condition:
    kind = fact_type(fact)
    if kind is None:
        known = [DEVICE_NAME, *FACT_TYPES, *(f"{family}.NAME" for family in FAMILIES)]
        hint = nearest(fact, known) or "`label.NAME` is for facts of your own"
        raise document.error(steps, f"no device has a fact {fact!r}", expected=", ".join(known), hint=hint, key=True)
    if isinstance(value, list):
        if not value:
            raise document.error(steps, f"an empty list for {fact} matches nothing", expected="at least one value")
        texts = [_text(fact, item, kind, document, (*steps, index)) for index, item in enumerate(value)]
        return Condition(fact, Op.IN, tuple(texts))
    if isinstance(value, str) and _OPERATOR.match(value):
        return _range(fact, value, kind, document, steps)
    return Condition(fact, Op.EQUALS, (_text(fact, value, kind, document, steps),))


def _range(fact: str, value: str, kind: FactType, document: Document, steps: Steps) -> Condition:
    if kind not in (FactType.VERSION, FactType.NUMBER):
        raise document.error(
            steps,
            f"a range needs a version or a number, and the type of {fact} is {kind.value}",
            expected="a value, or a list of values",
        )
    try:
        return Condition(fact, Op.VERSION, (str(SpecifierSet(value)),))
    except InvalidSpecifier as error:
        raise document.error(steps, f"{value!r} is not a version range", expected='like ">=6.1,<7"') from error


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(fact: str, value: object, kind: FactType, document: Document, steps: Steps) -> str:
    """One value as facts are compared: as text. Raises BadInput if it does not suit the fact's type."""
    if type(value) in _SUITS.get(kind, (str, int)):
        return _version(fact, str(value), document, steps) if kind is FactType.VERSION else _written(value)
    expected = {FactType.NUMBER: "a whole number", FactType.TEXT: "text", FactType.SET: "a word"}.get(kind, kind.value)
    written = _written(value) if isinstance(value, bool) else repr(value)
    hint = f'quote it: "{value}"' if isinstance(value, float) else ""
    raise document.error(steps, f"{fact} cannot be {written}", expected=expected, hint=hint)


def _version(fact: str, value: str, document: Document, steps: Steps) -> str:
    try:
        Version(value)
    except InvalidVersion as error:
        message = f"{fact} cannot be {value!r}"
        raise document.error(steps, message, expected='a version, like "6.1", or a range, like ">=6.1,<7"') from error
    return value
