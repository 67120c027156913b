"""Lack of memory in one wording: the child reports its own, the daemon explains that of a child which was killed."""

from jetfleet.errors import JetfleetError

_ADVICE = "a smaller batch or profile, a smaller workspace_mib, or less else that runs on the board"
# In the last lines of a child that crashed; the last is the Jetson driver's, on stderr.
_SIGNS = ("std::bad_alloc", "MemoryError", "out of memory", "NvMapMemAlloc")


def mentions_lack_of_memory(log_lines: str) -> bool:
    """Whether the last lines of a child's log give a lack of memory as the reason for its end."""
    return any(sign in log_lines for sign in _SIGNS)


def add_memory_advice(message: str) -> str:
    """The message of such a failure, with what may help."""
    return str(JetfleetError(message, hint=_ADVICE))
