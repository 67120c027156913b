"""What every mapping of job.yaml is made of: known keys only, and errors in our own words."""

from typing import Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


def problem(message: str, *, expected: str = "", hint: str = "") -> PydanticCustomError:
    """An error of ours, to be raised inside a validator; whoever loads the file adds the place."""
    return PydanticCustomError("job", "{message}", {"message": message, "expected": expected, "hint": hint})


def later(words: dict[str, str]) -> BeforeValidator:
    """Refuses what the design knows and this version does not; `words` say what works today instead."""

    def check(value: object) -> object:
        if isinstance(value, str) and value in words:
            raise problem(f"{value!r} is not supported yet", expected=words[value])
        return value

    return BeforeValidator(check)


def distinct(items: list[Any]) -> list[Any]:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise problem(f"{item!r} is listed twice", expected="every value once")
    return items


class Strict(BaseModel):
    """A mapping with known keys. The first unknown key is one error, and the keys that exist travel with it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)
    LATER: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        known = sorted(field.alias or name for name, field in cls.model_fields.items())
        for key in value if isinstance(value, dict) else ():
            if key not in known:
                words = cls.LATER.get(str(key), "")
                raise PydanticCustomError("unknown_key", "unknown key", {"key": key, "known": known, "later": words})
        return value
