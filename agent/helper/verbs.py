"""The list of what the helper does as root. A verb that is not here does not exist; none runs a shell.

What is set belongs to the process that asked for it, until that ends or restores it: nobody else changes it meanwhile.
"""

from collections.abc import Callable
from typing import Any

from agent.helper.holder import Holder
from agent.helper.protocol import HelperRequest
from agent.helper.settings import HeldSettings, SettingRefused
from jetfleet.version import VERSION

PING, READ_MODE, SET_MODE, LOCK_CLOCKS, RESTORE = "ping", "read-mode", "set-mode", "lock-clocks", "restore"
Answer = dict[str, Any]


class Verbs:
    """What each verb does, on one board."""

    def __init__(self, settings: HeldSettings, holder: Holder) -> None:
        self._settings, self._holder = settings, holder
        self._without: dict[str, Callable[[], Answer]] = {
            PING: dict,
            "version": lambda: {"version": VERSION},
            READ_MODE: settings.read,
        }
        self._changing: dict[str, Callable[[int | None], Answer]] = {
            SET_MODE: self._set_mode,
            LOCK_CLOCKS: self._lock_clocks,
            RESTORE: self._restore,
        }

    @property
    def names(self) -> list[str]:
        return sorted([*self._without, *self._changing])

    def answer(self, request: HelperRequest, *, pid: int) -> Answer:
        """`pid` is who asks, as the kernel says."""
        if fault := self._misfit(request):
            return _refused(fault)
        if request.verb in self._without:
            return {"ok": True, **self._without[request.verb]()}
        if (other := self._holder.other_than(pid)) is not None:
            return _refused(f"process {other} has set this board, and still runs")
        if request.verb != RESTORE and not self._holder.take(pid):
            return _refused("whoever asked has ended")
        return self._change(request)

    def _misfit(self, request: HelperRequest) -> str:
        """What is wrong with a request before anything is looked at; empty if nothing is."""
        if request.verb not in self.names:
            return f"unknown verb; known: {', '.join(self.names)}"
        if (request.mode is not None) == (request.verb == SET_MODE):
            return ""
        return f"{request.verb} {'needs' if request.verb == SET_MODE else 'does not take'} the number of a mode"

    def _change(self, request: HelperRequest) -> Answer:
        try:
            return {"ok": True, **self._changing[request.verb](request.mode)}
        except SettingRefused as error:
            return _refused(str(error))
        finally:
            if request.verb == RESTORE or not self._settings.is_held:
                self._holder.leave()

    def restore_what_was_left(self) -> None:
        """At the helper's own start, and when the process that set something has ended."""
        self._settings.restore()
        self._holder.leave()

    def _set_mode(self, number: int | None) -> Answer:
        return {"mode": self._settings.set_mode(number if number is not None else -1)}

    def _lock_clocks(self, number: int | None) -> Answer:
        return {"not_locked": self._settings.lock_clocks()}

    def _restore(self, number: int | None) -> Answer:
        left = self._settings.restore()
        return {"left": left}


def _refused(why: str) -> Answer:
    return {"ok": False, "error": why}
