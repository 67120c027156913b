"""The list of what the helper does as root. A verb that is not here does not exist; none runs a shell."""

from collections.abc import Callable
from typing import Any

from agent.helper.protocol import HelperRequest
from jetfleet.version import VERSION

VERBS: dict[str, Callable[[], dict[str, Any]]] = {
    "ping": dict,
    "version": lambda: {"version": VERSION},
}


def answer(request: HelperRequest) -> dict[str, Any]:
    verb = VERBS.get(request.verb)
    if verb is None:
        return {"ok": False, "error": f"unknown verb; known: {', '.join(sorted(VERBS))}"}
    return {"ok": True, **verb()}
