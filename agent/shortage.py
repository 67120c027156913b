"""What is said of a task that ran out of memory: by the child itself, or by whoever found it killed."""

from jetfleet.errors import JetfleetError

_FIX = "a smaller batch or profile, a smaller workspace_mib, or less else that runs on the board"


def out_of_memory(message: str) -> str:
    """The message of such a failure, with what may help."""
    return str(JetfleetError(message, hint=_FIX))
