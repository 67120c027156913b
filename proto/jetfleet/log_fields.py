"""What a log line is about: job, task, attempt, device, and who asked; kept for as long as a call or a task lasts.

Tasks and threads that are started meanwhile inherit it.
"""

from collections.abc import Mapping
from contextvars import ContextVar

_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("log_fields")


def note_fields(**fields: str | int) -> None:
    """From now on, in this task; empty ones are left out, and take a field away that was there."""
    _FIELDS.set({name: value for name, value in {**log_fields(), **_texts(fields)}.items() if value})


def log_fields() -> Mapping[str, str]:
    return _FIELDS.get({})


def _texts(fields: Mapping[str, str | int]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}
