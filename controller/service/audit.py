"""What calls leave in the audit log: each change is wrapped with what to tell of it, and the caller is added."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from controller.model.access import Caller, CallerRole
from controller.model.audit import Deed
from controller.service.identity import current_caller
from controller.store.commands.audit import noted
from controller.store.sqlite.writer import Work

T = TypeVar("T")

# Who does what nobody asked for at that moment: removals by age, starts.
CONTROLLER = Caller(CallerRole.OWNER, "(the controller itself)")


def audited(change: Work[T], tell: Callable[[T], Deed | None], *, by: Caller | None = None) -> Work[T]:
    """The change with its entry, for the caller of this call where nobody else is named."""
    return partial(noted, change=change, by=by or current_caller(), tell=tell)
